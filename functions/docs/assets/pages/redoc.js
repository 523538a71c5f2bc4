// ReDoc with the OpenAPI document of the same origin. ReDoc reads its theme once,
// so the page reloads when the color scheme changes.
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => location.reload());

const fonts = {
  fontFamily: "system-ui, sans-serif",
  headings: { fontFamily: "system-ui, sans-serif", fontWeight: "600" },
  code: { fontFamily: "ui-monospace, monospace" },
};
const light = {
  colors: { primary: { main: "#1d5c49" } },
  typography: fonts,
};
const night = {
  colors: {
    primary: { main: "#7fcfb2" },
    text: { primary: "#e3e8e6", secondary: "#a9b4b0" },
    border: { dark: "#3d4643", light: "#2c3432" },
    gray: { 50: "#232a28", 100: "#2c3432" },
    success: { main: "#7fcf9a" },
    error: { main: "#ff8f85" },
    responses: { success: { tabTextColor: "#2f9e58" }, error: { tabTextColor: "#e0645a" } },
  },
  schema: { nestedBackground: "#20272a", linesColor: "#56635f", typeNameColor: "#a9b4b0", typeTitleColor: "#a9b4b0" },
  sidebar: { backgroundColor: "#171b1c", textColor: "#e3e8e6" },
  rightPanel: { backgroundColor: "#14181a", textColor: "#e3e8e6" },
  typography: { ...fonts, links: { color: "#7fcfb2", visited: "#7fcfb2", hover: "#a6e3cc" }, code: { ...fonts.code, color: "#ffb4a2", backgroundColor: "#2c3432" } },
};

const url = document.querySelector("link[rel=service-desc]").href;

async function show() {
  const description = await (await fetch(url)).json();
  // ReDoc appends the relative URL of a server instead of resolving it.
  for (const server of description.servers) {
    server.url = new URL(server.url, url).href.replace(/\/$/, "");
  }
  Redoc.init(
    description,
    {
      // The default button fetches the document a second time, into a blob.
      downloadUrls: [{ title: "JSON", url }, { title: "YAML", url: url.replace(/json$/, "yaml") }],
      pathInMiddlePanel: true,
      schemasExpansionLevel: 1,
      theme: dark.matches ? night : light,
    },
    document.getElementById("api"),
  );
}

show();
