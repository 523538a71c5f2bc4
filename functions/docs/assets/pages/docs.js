// Swagger UI with the OpenAPI document of the same origin.
const dark = matchMedia("(prefers-color-scheme: dark)");
const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", apply);
apply();

SwaggerUIBundle({
  url: document.querySelector("link[rel=service-desc]").href,
  domNode: document.getElementById("api"),
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // The default validator is on another host.
  validatorUrl: null,
});
