// A button beside each command that copies it.

export function offerCopies(root) {
  for (const command of root.querySelectorAll("pre")) {
    if (!command.textContent.startsWith("curl ")) continue;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      button.textContent = (await copied(command)) ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    const place = document.createElement("div");
    place.className = "command";
    command.replaceWith(place);
    command.tabIndex = 0;
    place.append(command, button);
  }
}

// Browsers give the clipboard to pages of this machine and by HTTPS only; elsewhere the command is selected at least.
async function copied(command) {
  try {
    await navigator.clipboard.writeText(command.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(command);
    return document.execCommand("copy");
  }
}
