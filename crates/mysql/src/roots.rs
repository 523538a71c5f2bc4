//! The certificate authorities that a database is verified by.

use std::fs;

use chassis::outbound::AMAZON_ROOTS;

/// The regions, each with the certificate authorities of RDS as PEM.
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

/// The certificate authorities of RDS in a region, as PEM.
///
/// # Errors
///
/// If they are not compiled in.
pub(crate) fn of_region(region: &str) -> Result<Vec<u8>, String> {
    let known = REGIONS.iter().find(|(name, _)| *name == region);
    let (_, pem) = known.ok_or_else(|| {
        format!("the certificate authorities of RDS in the region {region} are not compiled in")
    })?;
    // The certificate of an RDS Proxy is issued by Amazon's own authority.
    Ok([*pem, AMAZON_ROOTS].concat())
}

/// The certificate authorities in a file, as PEM.
///
/// # Errors
///
/// If the file cannot be read or holds no certificate.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    match certificates(&pem) {
        0 => Err("the file holds no certificate".to_owned()),
        _ => Ok(pem),
    }
}

/// The number of certificates in `pem`.
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
            let pem = of_region(region).unwrap();
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
            "a file of roots/ is missing in REGIONS"
        );
    }

    #[test]
    fn an_unknown_region_and_an_unusable_file_are_errors() {
        assert!(of_region("mars-north-1").is_err() && of_region("").is_err());
        assert!(read("/nowhere.pem").is_err());
        assert!(read(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).is_err());
    }
}
