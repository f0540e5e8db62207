import { h } from "./base.js";

/** New events as they are written; after a break the browser asks for those after the last it got. */
export class Tail {
  constructor(id, { receive }) {
    this.element = h("span", { class: "live", role: "status" }, "loading");
    Object.assign(this, { id, receive });
  }

  start(after) {
    this.source = new EventSource(`api/sessions/${encodeURIComponent(this.id)}/live?after=${after}`);
    this.source.onopen = () => this.say("live", true);
    this.source.onerror = () => this.say("not connected, trying again", false);
    this.source.onmessage = ({ data }) => this.receive(JSON.parse(data));
  }

  say(text, on) {
    this.element.textContent = text;
    this.element.className = `live${on ? " on" : ""}`;
  }

  stop() {
    this.source?.close();
  }
}
