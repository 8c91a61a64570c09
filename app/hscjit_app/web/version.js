// Do page and server speak the same protocol, and what is said where they don't?

export const VERSION = 1;

/** The server's version where a frame tells that it is not ours, 0 where it names none; else null. */
export function otherVersion(frame) {
  if (frame.type === "welcome") return (frame.version ?? 1) === VERSION ? null : frame.version;
  return frame.type === "error" && frame.code === "unknown_version" ? (frame.version ?? 0) : null;
}

/** The same in words for whoever reads the page. */
export function explainVersion(theirs) {
  const than = !theirs ? "of another version than" : theirs > VERSION ? "older than" : "newer than";
  return `This page is ${than} the server, so it gets no answers.`;
}
