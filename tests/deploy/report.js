// Sends what the page answers, or what went wrong, to the server that the page came from.
const tell = (text) => fetch("/told", { method: "POST", body: text });
const answer = document.querySelector("#answer");
new MutationObserver(() => tell(answer.textContent)).observe(answer, { childList: true });
addEventListener("unhandledrejection", (event) => tell(`failed: ${event.reason}`));
// Captured on its way down: that a script cannot be loaded is told to the script alone.
addEventListener("error", (event) => tell(`failed: ${event.message ?? "to load a script"}`), true);
