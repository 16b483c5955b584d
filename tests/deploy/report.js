// Sends the page's answer, or its error, to the server that the page came from.
const tell = (text) => fetch("/told", { method: "POST", body: text });
const answer = document.querySelector("#answer");
new MutationObserver(() => tell(answer.textContent)).observe(answer, { childList: true });
addEventListener("unhandledrejection", (event) => tell(`failed: ${event.reason}`));
// In the capture phase: the load error of a script does not bubble up to the window.
addEventListener("error", (event) => tell(`failed: ${event.message ?? "to load a script"}`), true);
