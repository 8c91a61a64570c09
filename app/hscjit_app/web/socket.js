// The connection: opens, resumes after a loss without losing or repeating a frame, says how it is.

import { VERSION, otherVersion } from "/web/version.js";

const SESSION = "session";
const RELOADED_FOR = "reloaded-for";
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 8000;
const MOVING = 1012;
const QUIET_MS = 4000; // losses shorter than this are nobody's business

export class Connection extends EventTarget {
  #socket = null;
  #lastId = null;
  #pause = FIRST_PAUSE_MS;
  #timer = 0;
  #lostAt = 0;

  /** The conversation's secret; kept in this tab, so that a reload finds its conversation again. */
  get session() {
    return sessionStorage.getItem(SESSION);
  }

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws`);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      const hello = { type: "hello", version: VERSION };
      if (this.session) hello.session = this.session;
      if (this.#lastId) hello.last_id = this.#lastId;
      socket.send(JSON.stringify(hello));
    });
    socket.addEventListener("message", (event) => this.#receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    });
  }

  /** Send if there is a connection; returns whether there was. */
  send(message) {
    if (!this.open) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Leave the conversation behind and begin a new one. */
  restart() {
    sessionStorage.removeItem(SESSION);
    this.#lastId = null;
    this.#hangUp();
    this.connect();
  }

  #hangUp() {
    const old = this.#socket;
    this.#socket = null; // so that its end is no loss
    old?.close(1000);
  }

  #receive(frame) {
    const theirs = otherVersion(frame);
    if (theirs !== null) {
      this.#leave(theirs);
      return;
    }
    if (frame.type === "welcome") {
      sessionStorage.setItem(SESSION, frame.session);
      this.#pause = FIRST_PAUSE_MS;
      this.#lostAt = 0;
      this.#tell("open");
    }
    if (frame.seq) this.#lastId = `${frame.id}.${frame.seq}`;
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  /** Give up: only another page can talk to this server. */
  #leave(theirs) {
    this.#hangUp();
    this.#tell("misfit");
    // One reload for each version: what brings the same page again is not tried a second time.
    const reload = sessionStorage.getItem(RELOADED_FOR) !== String(theirs);
    sessionStorage.setItem(RELOADED_FOR, theirs);
    this.dispatchEvent(new CustomEvent("misfit", { detail: { theirs, reload } }));
  }

  #lost(code) {
    this.#lostAt ||= Date.now();
    const pause = code === MOVING ? 50 + Math.random() * 250 : this.#pause * (0.5 + Math.random());
    if (code !== MOVING) this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.#tell(Date.now() - this.#lostAt > QUIET_MS ? "lost" : "connecting");
    this.#timer = setTimeout(() => this.connect(), pause);
  }

  #tell(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
