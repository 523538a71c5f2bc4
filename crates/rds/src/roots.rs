//! The certificate authorities that a database is known by.

use std::fs;

use chassis::AMAZON_ROOTS;

/// The regions, each with its authorities as PEM.
macro_rules! regions {
    ($($region:literal)*) => {
        &[$(($region, include_bytes!(concat!("../roots/", $region, ".pem")))),*]
    };
}

#[rustfmt::skip]
const REGIONS: &[(&str, &[u8])] = regions! {
    "af-south-1"
    "ap-east-1"
    "ap-northeast-1" "ap-northeast-2" "ap-northeast-3"
    "ap-south-1" "ap-south-2"
    "ap-southeast-1" "ap-southeast-2" "ap-southeast-3" "ap-southeast-4"
    "ca-central-1"
    "eu-central-1" "eu-central-2"
    "eu-north-1"
    "eu-south-1" "eu-south-2"
    "eu-west-1" "eu-west-2" "eu-west-3"
    "me-central-1" "me-south-1"
    "sa-east-1"
    "us-east-1" "us-east-2" "us-west-1" "us-west-2"
};

/// The authorities that `MYSQL_TLS` names, as PEM.
///
/// # Errors
///
/// In words, if it names a region's and they are not known, or a file that
/// cannot be read or holds no certificate.
pub fn read(tls: &str, region: &str) -> Result<Vec<u8>, String> {
    if tls != "rds" {
        let pem = fs::read(tls).map_err(|error| error.to_string())?;
        return match certificates(&pem) {
            0 => Err("the file holds no certificate".to_owned()),
            _ => Ok(pem),
        };
    }
    let known = REGIONS.iter().find(|(name, _)| *name == region);
    let (_, pem) = known.ok_or_else(|| {
        format!("the certificate authorities of RDS in the region {region} are not compiled in")
    })?;
    // A proxy of RDS has its certificate from Amazon's own authority.
    Ok([*pem, AMAZON_ROOTS].concat())
}

/// How many certificates there are in `pem`.
fn certificates(pem: &[u8]) -> usize {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.windows(BEGIN.len()).filter(|w| *w == BEGIN).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_its_three_authorities_and_amazons() {
        for (region, _) in REGIONS {
            let pem = read("rds", region).unwrap();
            assert_eq!(
                certificates(&pem),
                3 + certificates(AMAZON_ROOTS),
                "{region}"
            );
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/roots");
        let files = fs::read_dir(folder).unwrap().filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension().is_some_and(|extension| extension == "pem")
        });
        assert_eq!(
            files.count(),
            REGIONS.len(),
            "a file of roots/ is not named here"
        );
    }

    #[test]
    fn what_cannot_be_trusted_is_told() {
        assert!(
            read("rds", "mars-north-1")
                .unwrap_err()
                .contains("mars-north-1")
        );
        assert!(read("rds", "").is_err());
        assert!(read("/nowhere.pem", "eu-north-1").is_err());
        assert!(read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "").is_err());
    }
}
