// Diagrams with zoom: by buttons, keys and the wheel.

// A diagram is scaled to fit the page. If that is below the smallest scale at
// which its text is legible, it starts at a readable scale instead.
const LEGIBLE = 0.5;
const READABLE = 0.7;
const STEP = 1.25;

for (const figure of document.querySelectorAll("figure")) {
  const image = figure.querySelector("img");
  const view = document.createElement("div");
  view.className = "view";
  view.tabIndex = 0;
  view.setAttribute("role", "group");
  view.setAttribute("aria-label", `${image.alt}; + and − zoom, 0 fits the page`);
  image.before(view);
  view.append(image);
  image.draggable = false;
  figure.classList.add("live");

  let scale = 1;
  // The scale at which the image fits between its padding and borders.
  const fit = () => {
    const room = parseFloat(getComputedStyle(image).paddingLeft) * 2 + 2;
    return Math.min(1, (view.clientWidth - room) / image.naturalWidth);
  };
  const zoom = (to, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    if (!image.naturalWidth) return;
    const before = scale;
    scale = Math.min(4, Math.max(fit() / 2, to));
    image.style.width = `${Math.round(image.naturalWidth * scale)}px`;
    // Keep the point under the pointer in place.
    view.scrollLeft = (view.scrollLeft + x) * (scale / before) - x;
    view.scrollTop = (view.scrollTop + y) * (scale / before) - y;
  };
  const reset = () => zoom(fit() >= LEGIBLE ? fit() : READABLE, 0, 0);

  const bar = document.createElement("div");
  bar.className = "zoom";
  const actions = [
    ["−", "Zoom out", () => zoom(scale / STEP)],
    ["Fit", "Fit the page", () => zoom(fit())],
    ["+", "Zoom in", () => zoom(scale * STEP)],
  ];
  for (const [text, title, act] of actions) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", title);
    button.title = title;
    button.addEventListener("click", act);
    bar.append(button);
  }
  view.before(bar);

  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoom(scale * STEP);
    else if (event.key === "-" || event.key === "−") zoom(scale / STEP);
    else if (event.key === "0") zoom(fit());
    else return;
    event.preventDefault();
  });
  // Browsers report a pinch on a touchpad as a wheel event with Ctrl.
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", (event) => {
    if (!view.hasPointerCapture(event.pointerId)) return;
    view.scrollLeft -= event.movementX;
    view.scrollTop -= event.movementY;
  });

  if (image.complete) reset();
  image.addEventListener("load", reset);
  let width = view.clientWidth;
  new ResizeObserver(() => {
    if (view.clientWidth === width) return;
    width = view.clientWidth;
    reset();
  }).observe(view);
}
