//! Opening a lake's location: which store, with which credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use cscopilot_diag::Secret;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use super::Root;
use super::durable::DurableLocal;
use crate::{Error, Result};

/// Opens `location`. Options override the environment's variables; their names are those of `object_store`
/// (`aws_access_key_id`, `google_service_account`, `azure_storage_account_name`, …).
pub(crate) fn open(location: &str, options: &BTreeMap<String, Secret>) -> Result<Root> {
    let bad = |reason: String| Error::BadLocation { location: location.to_owned(), reason };
    let Some((scheme, _)) = location.split_once("://") else { return local(PathBuf::from(location), location) };
    let url = Url::parse(location).map_err(|e| bad(e.to_string()))?;
    match scheme {
        "file" => local(url.to_file_path().map_err(|()| bad("it is not a path of this machine".to_owned()))?, location),
        "memory" => memory(&url),
        "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss" | "adl" => bucket(&url, options).map_err(|e| bad(e.to_string())),
        other => Err(bad(format!("the scheme `{other}` is not known"))),
    }
}

fn local(path: PathBuf, location: &str) -> Result<Root> {
    if path.as_os_str().is_empty() {
        return Err(Error::BadLocation { location: location.to_owned(), reason: "it is empty".to_owned() });
    }
    std::fs::create_dir_all(&path).map_err(Error::disk(format!("making the folder {}", path.display())))?;
    let folder = std::fs::canonicalize(&path).map_err(Error::disk(format!("finding the folder {}", path.display())))?;
    let bad = |reason: &str| Error::BadLocation { location: location.to_owned(), reason: reason.to_owned() };
    let url = Url::from_directory_path(&folder).map_err(|()| bad("it is not an absolute path"))?;
    let prefix = Path::from_absolute_path(&folder).map_err(|e| bad(&e.to_string()))?;
    Ok(Root::new(Arc::new(DurableLocal::new()), url, prefix, Some(folder)))
}

/// Lakes in memory are shared by name within the process, so that opening `memory://x` twice gives the same lake.
fn memory(url: &Url) -> Result<Root> {
    static STORES: OnceLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = OnceLock::new();
    let name = url.host_str().unwrap_or_default().to_owned();
    let mut stores = match STORES.get_or_init(Mutex::default).lock() {
        Ok(stores) => stores,
        Err(poisoned) => poisoned.into_inner(),
    };
    let store = Arc::clone(stores.entry(name).or_default());
    let path = Path::from_url_path(url.path()).map_err(|e| Error::BadLocation { location: url.to_string(), reason: e.to_string() })?;
    Ok(Root::new(store, with_slash(url), path, None))
}

fn bucket(url: &Url, options: &BTreeMap<String, Secret>) -> Result<Root, object_store::Error> {
    let (scheme, path) = ObjectStoreScheme::parse(url).map_err(object_store::Error::from)?;
    let options = options.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.expose().to_owned()));
    let store: Arc<dyn ObjectStore> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let builder = options.fold(AmazonS3Builder::from_env().with_url(url.as_str()), |b, (k, v)| match k.parse() {
                Ok(key) => b.with_config(key, v),
                Err(_) => b,
            });
            Arc::new(builder.build()?)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = options.fold(GoogleCloudStorageBuilder::from_env().with_url(url.as_str()), |b, (k, v)| match k.parse() {
                Ok(key) => b.with_config(key, v),
                Err(_) => b,
            });
            Arc::new(builder.build()?)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = options.fold(MicrosoftAzureBuilder::from_env().with_url(url.as_str()), |b, (k, v)| match k.parse() {
                Ok(key) => b.with_config(key, v),
                Err(_) => b,
            });
            Arc::new(builder.build()?)
        }
        _ => return Err(object_store::Error::NotSupported { source: "no such kind of store".into() }),
    };
    Ok(Root::new(store, with_slash(url), path, None))
}

fn with_slash(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_each_vendor_can_be_named() {
        let options = BTreeMap::from([
            ("aws_access_key_id".to_owned(), Secret::new("id")),
            ("aws_secret_access_key".to_owned(), Secret::new("key")),
            ("azure_storage_account_name".to_owned(), Secret::new("account")),
            ("azure_storage_account_key".to_owned(), Secret::new("a2V5")),
        ]);
        for (location, prefix) in [("s3://bucket/lake/dev", "lake/dev"), ("gs://bucket/x", "x"), ("az://container/y", "y")] {
            let root = open(location, &options).unwrap();
            assert_eq!((root.prefix.as_ref(), root.folder.is_none()), (prefix, true), "{location}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused() {
        let error = open("ftp://host/x", &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "the lake can't be opened at `ftp://host/x`: the scheme `ftp` is not known");
    }

    #[test]
    fn a_memory_lake_is_shared_by_name() {
        let a = open("memory://shared_by_name", &BTreeMap::new()).unwrap();
        let b = open("memory://shared_by_name", &BTreeMap::new()).unwrap();
        assert!(std::ptr::addr_eq(Arc::as_ptr(&a.whole), Arc::as_ptr(&b.whole)));
    }
}
