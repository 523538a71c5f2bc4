// Swagger UI over the document of the same origin.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("api"),
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // Another host would be asked whether the document is valid.
  validatorUrl: null,
});
