// The conversation: one turn an answer, built only from its frames, so that a replay rebuilds it.

export class Log extends EventTarget {
  #root;
  #scroller;
  #stick = true; // false while somebody reads further up: they are not dragged along
  #announce;
  #turns = new Map();

  constructor(root, scroller, announce) {
    super();
    this.#root = root;
    this.#scroller = scroller;
    this.#announce = announce;
    let before = 0;
    scroller.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = scroller;
      // Growing text moves the end away, only a reader moves the view up.
      if (scrollTop < before) this.#stick = false;
      if (scrollHeight - scrollTop - clientHeight < 40) this.#stick = true;
      before = scrollTop;
    });
  }

  get empty() {
    return this.#turns.size === 0;
  }

  /** True while an answer is under way. */
  get busy() {
    return [...this.#turns.values()].some((turn) => !turn.ended);
  }

  clear() {
    this.#turns.clear();
    this.#root.replaceChildren();
  }

  /** Forget answers that did not end (or the one named): what is still kept comes again. */
  resync(id) {
    for (const [known, turn] of this.#turns) {
      if (id ? known === id : !turn.ended) {
        turn.article.remove();
        this.#turns.delete(known);
      }
    }
  }

  /** Show one durable frame; an answer that comes again from its first frame replaces itself. */
  show(frame) {
    const known = this.#turns.get(frame.id);
    const turn = known && frame.seq !== 1 ? known : this.#begin(frame.id, known);
    switch (frame.type) {
      case "status":
        if (frame.query) turn.asked.textContent = frame.query;
        if (frame.product) turn.about.textContent = frame.product.name;
        turn.state.textContent = frame.message;
        break;
      case "answer_chunk":
        turn.state.hidden = true;
        turn.text.classList.add("writing");
        turn.text.append(frame.content);
        break;
      case "answer_restart":
        turn.text.textContent = "";
        for (const part of turn.answer.querySelectorAll("ul, .caption")) part.remove();
        break;
      case "context":
        this.#context(turn, frame);
        break;
      case "answer_done":
        this.#end(turn);
        turn.answer.append(this.#verdict(frame.id));
        this.#announce(`Answer: ${turn.text.textContent}`);
        break;
      case "error":
        this.#end(turn);
        turn.failed.hidden = false;
        turn.failed.textContent = explain(frame);
        this.#announce(turn.failed.textContent);
        break;
    }
    if (this.#stick) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #begin(id, replaced) {
    const turn = {
      article: make("article", "turn"),
      asked: make("span"),
      answer: make("div", "answer"),
      about: make("p", "about"),
      state: make("p", "state"),
      text: make("p", "text"),
      failed: make("p", "failed"),
      ended: false,
    };
    turn.failed.hidden = true;
    turn.article.dataset.answer = id;
    const question = make("p", "asked");
    question.append(turn.asked);
    turn.answer.append(turn.about, turn.state, turn.text, turn.failed);
    turn.answer.setAttribute("aria-busy", "true");
    turn.article.append(question, turn.answer);
    this.#turns.set(id, turn);
    if (replaced) replaced.article.replaceWith(turn.article);
    else this.#root.append(turn.article);
    return turn;
  }

  #end(turn) {
    turn.ended = true;
    turn.state.hidden = true;
    turn.text.classList.remove("writing");
    turn.answer.setAttribute("aria-busy", "false");
    this.dispatchEvent(new Event("ended"));
  }

  #context(turn, { sources, related_items: related }) {
    if (sources.length) {
      const list = make("ul", "sources");
      list.setAttribute("aria-label", "Sources");
      list.append(...sources.map(source));
      turn.answer.append(list);
    }
    const named = related.filter((item) => item.name);
    if (named.length) {
      const list = make("ul", "related");
      list.setAttribute("aria-label", "Goes with it");
      list.append(...named.map((item) => this.#related(item)));
      turn.answer.append(make("p", "caption", "Goes with it"), list);
    }
  }

  #related(item) {
    const button = make("button", "", item.name);
    button.type = "button";
    button.title = item.label;
    button.addEventListener("click", () => {
      this.dispatchEvent(new CustomEvent("related", { detail: { id: item.id, name: item.name } }));
    });
    const entry = make("li");
    entry.append(button);
    return entry;
  }

  #verdict(id) {
    const row = make("div", "verdict", "Did this help?");
    for (const [word, rating] of [["Yes", 1], ["No", -1]]) {
      const button = make("button", "plain", word);
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        for (const other of row.querySelectorAll("button")) {
          other.setAttribute("aria-pressed", String(other === button));
        }
        this.dispatchEvent(new CustomEvent("rated", { detail: { message_id: id, rating } }));
      });
      row.append(button);
    }
    return row;
  }
}

/** An error frame in words, with the seconds to wait. */
export function explain(frame) {
  const wait = frame.retry_after ? ` Try again in ${Math.ceil(frame.retry_after)} s.` : "";
  return `${frame.message}.${wait}`.replace("..", ".");
}

function source({ title, url, page }) {
  const entry = make("li");
  const text = page ? `${title}, p. ${page}` : title;
  // Only what a browser opens harmlessly becomes a link.
  if (/^(https?:\/\/|\/)/.test(url)) {
    const link = make("a", "", text);
    link.href = page ? `${url}#page=${page}` : url;
    link.target = "_blank";
    link.rel = "noopener";
    entry.append(link);
  } else entry.append(text);
  return entry;
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
