// Diagrams that can be made larger: by buttons, by keys and by the wheel.

// A diagram is shown whole where its letters can still be told apart, and else
// so large that they can be read.
const LEGIBLE = 0.5;
const READABLE = 0.7;
const STEP = 1.25;

for (const figure of document.querySelectorAll("figure")) {
  const image = figure.querySelector("img");
  const view = document.createElement("div");
  view.className = "view";
  view.tabIndex = 0;
  view.setAttribute("role", "group");
  view.setAttribute("aria-label", `${image.alt}; + and − zoom, 0 shows it whole`);
  image.before(view);
  view.append(image);
  image.draggable = false;
  figure.classList.add("live");

  let scale = 1;
  // What fits beside the padding and the edges.
  const whole = () => {
    const room = parseFloat(getComputedStyle(image).paddingLeft) * 2 + 2;
    return Math.min(1, (view.clientWidth - room) / image.naturalWidth);
  };
  const zoom = (to, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    if (!image.naturalWidth) return;
    const before = scale;
    scale = Math.min(4, Math.max(whole() / 2, to));
    image.style.width = `${Math.round(image.naturalWidth * scale)}px`;
    // What was under the pointer stays there.
    view.scrollLeft = (view.scrollLeft + x) * (scale / before) - x;
    view.scrollTop = (view.scrollTop + y) * (scale / before) - y;
  };
  const begin = () => zoom(whole() >= LEGIBLE ? whole() : READABLE, 0, 0);

  const bar = document.createElement("div");
  bar.className = "zoom";
  const actions = [
    ["−", "Smaller", () => zoom(scale / STEP)],
    ["Whole", "Show it whole", () => zoom(whole())],
    ["+", "Larger", () => zoom(scale * STEP)],
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
    else if (event.key === "0") zoom(whole());
    else return;
    event.preventDefault();
  });
  // A pinch on a touchpad is a wheel with Ctrl.
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

  if (image.complete) begin();
  image.addEventListener("load", begin);
  let width = view.clientWidth;
  new ResizeObserver(() => {
    if (view.clientWidth === width) return;
    width = view.clientWidth;
    begin();
  }).observe(view);
}
