//! `cargo xtask assets`: fetches Swagger UI and ReDoc from the npm registry at
//! pinned versions, checks every byte, and writes what the docs function embeds of
//! them to `functions/docs/assets/vendor`.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use brotli::enc::BrotliEncoderParams;
use clap::Parser;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha512};
use template::generated;

/// A package of the npm registry.
struct Package {
    name: &'static str,
    version: &'static str,
    /// The SHA-512 of its archive in base64, as in the registry's `dist.integrity`.
    integrity: &'static str,
    /// The files that are embedded, compressed and without references to source
    /// maps.
    files: &'static [&'static str],
    /// The licences that go with them, and the names that they get.
    licences: &'static [(&'static str, &'static str)],
    /// The replacements in the files: each text occurs exactly once.
    changes: &'static [(&'static str, &'static str)],
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "swagger-ui-dist",
        version: "5.35.0",
        integrity: "U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==",
        files: &["swagger-ui-bundle.js", "swagger-ui.css"],
        licences: &[
            ("LICENSE", "swagger-ui.LICENSE"),
            ("NOTICE", "swagger-ui.NOTICE"),
            (
                "swagger-ui-bundle.js.LICENSE.txt",
                "swagger-ui-bundle.js.LICENSE.txt",
            ),
        ],
        changes: &[],
    },
    Package {
        name: "redoc",
        version: "2.5.4",
        integrity: "M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ==",
        files: &["bundles/redoc.standalone.js"],
        licences: &[
            ("LICENSE", "redoc.LICENSE"),
            (
                "bundles/redoc.standalone.js.LICENSE.txt",
                "redoc.standalone.js.LICENSE.txt",
            ),
        ],
        // An image on another host, replaced by an empty one.
        changes: &[(
            "https://cdn.redoc.ly/redoc/logo-mini.svg",
            "data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27/%3E",
        )],
    },
];

/// Writes what the docs function embeds of Swagger UI and `ReDoc`.
#[derive(Parser)]
struct Arguments {
    /// Write nothing, and fail if a file would differ
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut files = BTreeMap::new();
    for package in &PACKAGES {
        files.extend(package.fetch()?);
    }
    let vendor = template::project().join("functions/docs/assets/vendor");
    generated::update(&vendor, files, arguments.check, "cargo xtask assets")
}

impl Package {
    /// The files to write, by name.
    fn fetch(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut there = self.unpack(&self.download()?)?;
        let mut take = |name: &str| {
            let content = there.remove(Path::new("package").join(name).as_path());
            content.with_context(|| format!("{} has no {name}", self.name))
        };
        let mut files = BTreeMap::new();
        for (theirs, ours) in self.licences {
            files.insert((*ours).to_owned(), take(theirs)?);
        }
        for path in self.files {
            let name = path.rsplit('/').next().unwrap_or(path);
            let content = String::from_utf8(take(path)?)?;
            let content = self.change(&content)?;
            files.insert(format!("{name}.br"), compress(content.as_bytes())?);
        }
        Ok(files)
    }

    /// The archive of the package, checked.
    fn download(&self) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir()?;
        let wanted = format!("{}@{}", self.name, self.version);
        let output = Command::new("npm")
            .args(["pack", "--silent", "--ignore-scripts", &wanted])
            .current_dir(folder.path())
            .output()
            .context("npm cannot be started: it comes with Node.js")?;
        ensure!(
            output.status.success(),
            "npm pack {wanted} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let archive = folder
            .path()
            .join(format!("{}-{}.tgz", self.name, self.version));
        let archive = fs::read(&archive).with_context(|| archive.display().to_string())?;
        let integrity = STANDARD.encode(Sha512::digest(&archive));
        ensure!(
            integrity == self.integrity,
            "{wanted} has changed: its SHA-512 is {integrity} instead of {}",
            self.integrity
        );
        Ok(archive)
    }

    fn unpack(&self, archive: &[u8]) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(GzDecoder::new(archive)).entries()? {
            let mut entry = entry?;
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(entry.path()?.into_owned(), content);
        }
        ensure!(!files.is_empty(), "{} is empty", self.name);
        Ok(files)
    }

    /// The content with its replacements and without references to source maps.
    fn change(&self, content: &str) -> Result<String> {
        let points = |line: &&str| {
            let marks = ["//# sourceMappingURL=", "/*# sourceMappingURL="];
            !marks.iter().any(|mark| line.starts_with(mark))
        };
        let lines = content.lines().filter(points);
        let mut content = lines.collect::<Vec<_>>().join("\n") + "\n";
        for (theirs, ours) in self.changes {
            let count = content.matches(theirs).count();
            ensure!(count == 1, "{} contains {theirs} {count} times", self.name);
            content = content.replace(theirs, ours);
        }
        Ok(content)
    }
}

fn compress(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: Package = Package {
        name: "pages",
        version: "1.0.0",
        integrity: "",
        files: &[],
        licences: &[],
        changes: &[("https://example.com/logo.svg", "data:,")],
    };

    #[test]
    fn references_to_source_maps_and_to_other_hosts_are_removed() {
        let content = "logo('https://example.com/logo.svg')\n//# sourceMappingURL=pages.js.map\n";
        assert_eq!(PACKAGE.change(content).unwrap(), "logo('data:,')\n");
    }

    #[test]
    fn replacement_that_does_not_match_once_is_an_error() {
        for content in [
            "logo()",
            "https://example.com/logo.svg https://example.com/logo.svg",
        ] {
            assert!(PACKAGE.change(content).is_err(), "{content}");
        }
    }
}
