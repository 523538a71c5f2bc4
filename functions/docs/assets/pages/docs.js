// Swagger UI with the document of the same origin.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: document.querySelector("link[rel=service-desc]").href,
  domNode: document.getElementById("api"),
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // The validator is on another host.
  validatorUrl: null,
});
