// The product box: an editable combobox with a list, as the ARIA Authoring Practices describe it.
// Focus stays in the input; the arrow keys move `aria-activedescendant`; editing keys stay the browser's.

export class Combobox extends EventTarget {
  #input;
  #list;
  #clear;
  #announce;
  #matches = [];
  #active = -1;
  #chosen = null;

  constructor({ input, list, clear, announce }) {
    super();
    this.#input = input;
    this.#list = list;
    this.#clear = clear;
    this.#announce = announce;
    input.addEventListener("input", () => this.#typed());
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("focus", () => this.#matches.length && !this.#chosen && this.#show(true));
    input.addEventListener("blur", () => this.#show(false));
    list.addEventListener("mousedown", (event) => event.preventDefault()); // keep the focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(this.#matches[Number(option.dataset.at)].product);
    });
    clear.addEventListener("click", () => {
      this.choose(null);
      input.value = "";
      input.focus();
    });
  }

  /** The chosen product, or null. */
  get product() {
    return this.#chosen;
  }

  /** Show the candidates for a text, if it is still the text in the box. */
  offer(text, matches) {
    if (this.#chosen || text !== this.#input.value) return;
    this.#matches = matches;
    this.#active = -1;
    this.#list.replaceChildren(...matches.map(option), ...(matches.length || !text.trim() ? [] : [nothing()]));
    this.#show(document.activeElement === this.#input && this.#list.children.length > 0);
    if (text.trim()) {
      const many = matches.length === 1 ? "1 product" : `${matches.length} products`;
      this.#announce(matches.length ? `${many} found, best: ${matches[0].product.name}` : "No product found");
    }
  }

  choose(product) {
    this.#chosen = product;
    this.#clear.hidden = !product;
    this.#input.readOnly = Boolean(product);
    this.#input.parentElement.classList.toggle("locked", Boolean(product));
    if (product) {
      this.#input.value = product.name;
      this.#announce(`${product.name} chosen`);
    }
    this.#matches = [];
    this.#list.replaceChildren();
    this.#show(false);
    this.dispatchEvent(new CustomEvent("choose", { detail: product }));
  }

  #typed() {
    if (!this.#input.value.trim()) this.offer(this.#input.value, []);
    this.dispatchEvent(new CustomEvent("typed", { detail: this.#input.value }));
  }

  #key(event) {
    if (event.isComposing || this.#chosen) return;
    const last = this.#matches.length - 1;
    const open = !this.#list.hidden;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        if (last < 0) return;
        event.preventDefault();
        const down = event.key === "ArrowDown";
        const next = this.#active + (down ? 1 : -1);
        this.#show(true);
        this.#move(next > last ? 0 : next < 0 ? last : next);
        break;
      }
      case "Enter":
        if (open && last >= 0) {
          event.preventDefault();
          this.choose(this.#matches[Math.max(this.#active, 0)].product);
        }
        break;
      case "Escape":
        if (open) this.#show(false);
        else {
          this.#input.value = "";
          this.#typed();
        }
        break;
    }
  }

  #move(to) {
    this.#active = to;
    for (const [at, item] of [...this.#list.children].entries()) {
      item.setAttribute("aria-selected", String(at === to));
      if (at === to) {
        this.#input.setAttribute("aria-activedescendant", item.id);
        item.scrollIntoView({ block: "nearest" });
      }
    }
  }

  #show(open) {
    this.#list.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
    if (!open) {
      this.#active = -1;
      this.#input.removeAttribute("aria-activedescendant");
    }
  }
}

function option(match, at) {
  const item = document.createElement("li");
  item.id = `match-${at}`;
  item.dataset.at = at;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  item.append(
    span("name", match.product.name, match.match_text),
    span("kind", [match.brand.name, match.product.category].filter(Boolean).join(" · ")),
    span("sure", `${Math.round(match.confidence * 100)} %`),
  );
  return item;
}

function nothing() {
  const item = document.createElement("li");
  item.className = "none";
  item.setAttribute("role", "option");
  item.setAttribute("aria-disabled", "true");
  item.textContent = "No product found. Try the brand or the model number.";
  return item;
}

// The recognised words of the name stand out; text is only ever set as text.
function span(kind, text, marked = "") {
  const element = document.createElement("span");
  element.className = kind;
  const words = new Set(marked.split(" "));
  for (const [at, word] of text.split(" ").entries()) {
    if (at) element.append(" ");
    if (words.has(word)) {
      const mark = document.createElement("mark");
      mark.textContent = word;
      element.append(mark);
    } else element.append(word);
  }
  return element;
}
