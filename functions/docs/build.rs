//! Compresses the files that the function serves and names each asset by its hash, so
//! that the function does neither.
//!
//! Third-party files are in `assets/vendor`, compressed with Brotli: `cargo xtask assets`
//! writes them. Our own files are beside `vendor`, uncompressed, and the diagrams are in
//! `docs/diagrams`. A `{{name}}` in a page becomes the path of the asset of that name.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    path::{Path, PathBuf},
};

use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Served under names that hold their hash, with the media type of each.
const ASSETS: [(&str, &str); 11] = [
    ("vendor/swagger-ui.css", "text/css; charset=utf-8"),
    (
        "vendor/swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
    ),
    (
        "vendor/redoc.standalone.js",
        "text/javascript; charset=utf-8",
    ),
    ("pages/architecture.css", "text/css; charset=utf-8"),
    ("pages/architecture.js", "text/javascript; charset=utf-8"),
    ("pages/docs.css", "text/css; charset=utf-8"),
    ("pages/docs.js", "text/javascript; charset=utf-8"),
    ("pages/favicon.svg", "image/svg+xml"),
    ("pages/problems.css", "text/css; charset=utf-8"),
    ("pages/redoc.css", "text/css; charset=utf-8"),
    ("pages/redoc.js", "text/javascript; charset=utf-8"),
];

/// The media types of the diagrams, by extension; they are served as assets.
const DIAGRAMS: [(&str, &str); 2] = [
    ("puml", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// Served under names of their own, with the constant that each becomes and the content
/// security policy that a page adds to [`POLICY`].
const PAGES: [(&str, &str, &str, Option<&str>); 6] = [
    ("pages/favicon.svg", "image/svg+xml", "FAVICON", None),
    ("openapi.json", "application/json", "OPENAPI_JSON", None),
    ("openapi.yaml", "application/yaml", "OPENAPI_YAML", None),
    (
        "pages/architecture.html",
        "text/html; charset=utf-8",
        "ARCHITECTURE",
        // Images of our own, and the script that enlarges them.
        Some("style-src 'self'; img-src 'self'"),
    ),
    (
        "pages/docs.html",
        "text/html; charset=utf-8",
        "DOCS",
        // Swagger UI draws its icons as `data:` images.
        Some("style-src 'self'; img-src 'self' data:"),
    ),
    (
        "pages/redoc.html",
        "text/html; charset=utf-8",
        "REDOC",
        // ReDoc creates style elements that are empty or have one rule, and fills them by
        // script: the hashes are those of these two texts. It searches in a worker.
        Some(
            "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
             'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; \
             img-src 'self' data:; worker-src blob:",
        ),
    ),
];

/// The content security policy of every page: nothing from another host, no inline script,
/// no `eval`; and no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// How long a client may cache an asset: for ever, because its name has a hash of its
/// content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// How long a client may cache a page: until it is requested again and revalidated.
const REVALIDATED: &str = "no-cache";

/// The assets that the code itself links to.
const LINKED: [(&str, &str); 2] = [("favicon.svg", "ICON_PATH"), ("problems.css", "STYLE_PATH")];

fn main() -> Result<()> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let table = Table {
        assets: package.join("assets"),
        diagrams: package.join("../../docs/diagrams"),
        out: PathBuf::from(env::var("OUT_DIR")?),
    };
    let mut rust = String::new();
    let mut paths = Vec::new();

    rust.push_str("/// Every asset, with the name it has under `/docs/`.\n");
    rust.push_str("pub static ASSETS: &[(&str, Asset)] = &[\n");
    let diagrams = table.diagrams()?;
    let diagrams = diagrams.iter().map(|(file, media)| (file.as_str(), *media));
    for (file, media_type) in ASSETS.into_iter().chain(diagrams) {
        let content = table.read(file)?;
        let (stem, extension) = name_of(file)
            .rsplit_once('.')
            .ok_or("a file has an extension")?;
        let name = format!("{stem}-{:.12}.{extension}", hash(&content));
        let entry = table.entry(file, media_type, &content, IMMUTABLE, None)?;
        writeln!(rust, "    ({name:?}, {entry}),")?;
        paths.push((name_of(file).to_owned(), format!("/docs/{name}")));
    }
    rust.push_str("];\n");

    for (name, constant) in LINKED {
        let linked = paths.iter().find(|(asset, _)| *asset == name);
        let (_, path) = linked.ok_or("what is linked is an asset")?;
        writeln!(rust, "/// The path of `{name}`.")?;
        writeln!(rust, "pub const {constant}: &str = {path:?};")?;
    }
    for (file, media_type, constant, policy) in PAGES {
        let mut content = table.read(file)?;
        if media_type.starts_with("text/html") {
            let mut page = String::from_utf8(content)?;
            for (name, path) in &paths {
                page = page.replace(&format!("{{{{{name}}}}}"), path);
            }
            if page.contains("{{") {
                return Err(format!("{file} refers to an unknown asset or diagram").into());
            }
            content = page.into_bytes();
        }
        let policy = policy.map(|own| format!("{POLICY}; {own}"));
        let entry = table.entry(file, media_type, &content, REVALIDATED, policy.as_deref())?;
        writeln!(
            rust,
            "/// `{file}`.\npub static {constant}: Asset = {entry};"
        )?;
    }
    fs::write(table.out.join("embedded.rs"), rust)?;
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed={}", table.diagrams.display());
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

struct Table {
    assets: PathBuf,
    diagrams: PathBuf,
    out: PathBuf,
}

impl Table {
    /// Reads a file, uncompressed.
    fn read(&self, file: &str) -> Result<Vec<u8>> {
        if let Some(diagram) = file.strip_prefix("diagrams/") {
            return read(&self.diagrams.join(diagram));
        }
        if !file.starts_with("vendor/") {
            return read(&self.assets.join(file));
        }
        let compressed = read(&self.brotli(file))?;
        let mut content = Vec::new();
        brotli::Decompressor::new(&compressed[..], 64 * 1024).read_to_end(&mut content)?;
        Ok(content)
    }

    /// The diagrams, sorted by name, with the media type of each.
    fn diagrams(&self) -> Result<Vec<(String, &'static str)>> {
        let mut diagrams = Vec::new();
        for entry in fs::read_dir(&self.diagrams)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let extension = name.rsplit('.').next().unwrap_or_default();
            if let Some((_, media)) = DIAGRAMS.iter().find(|(known, _)| *known == extension) {
                diagrams.push((format!("diagrams/{name}"), *media));
            }
        }
        diagrams.sort();
        Ok(diagrams)
    }

    /// The path of the file compressed by brotli.
    fn brotli(&self, file: &str) -> PathBuf {
        let folder = if file.starts_with("vendor/") {
            &self.assets
        } else {
            &self.out
        };
        folder.join(format!("{file}.br"))
    }

    /// Compresses a file in both codings and returns the expression that embeds it.
    fn entry(
        &self,
        file: &str,
        media_type: &str,
        content: &[u8],
        cache_control: &str,
        policy: Option<&str>,
    ) -> Result<String> {
        let (brotli, gzip) = (self.brotli(file), self.out.join(format!("{file}.gz")));
        if let Some(folder) = gzip.parent() {
            fs::create_dir_all(folder)?;
        }
        if !file.starts_with("vendor/") {
            let parameters = BrotliEncoderParams {
                quality: 11,
                size_hint: content.len(),
                ..BrotliEncoderParams::default()
            };
            let mut compressed = Vec::new();
            brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
            fs::write(&brotli, compressed)?;
        }
        // Without a timestamp the output is reproducible.
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(content)?;
        fs::write(&gzip, encoder.finish()?)?;
        let (brotli, gzip) = (brotli.display().to_string(), gzip.display().to_string());
        Ok(format!(
            "Asset {{ media_type: {media_type:?}, cache_control: {cache_control:?}, policy: {policy:?}, hash: {:?}, brotli: include_bytes!({brotli:?}), gzip: include_bytes!({gzip:?}) }}",
            hash(content).get(..32).unwrap_or_default(),
        ))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn name_of(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn hash(content: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(content) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
