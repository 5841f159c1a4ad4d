//! Files in a bucket, on servers of S3 and of Azure that others wrote.

use super::*;
use cscopilot_servers::{Bucket, azure, s3};
use object_store::ObjectStoreExt;

const STREAM: &str = "  x:
    files: '**/*.jsonl*'
    columns: {event: {type: string, not_null: true}, n: {type: int}}
";

#[tokio::test]
async fn files_of_a_bucket_are_read_and_read_again_when_they_change() {
    two_nights(&s3()).await;
    if let Some(bucket) = azure() {
        two_nights(&bucket).await;
    }
}

async fn two_nights(bucket: &Bucket) {
    let mut f = Fixture::new(STREAM).await;
    let options: Vec<String> = bucket.options.iter().map(|(name, value)| format!("{name}: '{value}'")).collect();
    let root = format!("{{path: '{}/exports', options: {{{}}}}}", bucket.url, options.join(", "));
    f.put("configs/sources/s.yaml", format!("version: 1\nfiles: {root}\nmax_rejected_pct: 60\nstreams:\n{STREAM}").as_bytes());
    let url = url::Url::parse(bucket.url).unwrap();
    let (store, _) = object_store::parse_url_opts(&url, bucket.options.clone()).unwrap();
    let put = async |path: &str, bytes: Vec<u8>| drop(store.put(&path.into(), bytes.into()).await.unwrap());

    put("exports/2024/05/a.jsonl.gz", gzip("{\"event\":\"a\",\"n\":1}\n{\"event\":\"ä\",\"n\":2}\n")).await;
    put("exports/b c.jsonl", b"{\"event\":\"b\",\"n\":3}\nnonsense\n".to_vec()).await;
    put("exports/notes.txt", b"not asked for".to_vec()).await;
    put("other/c.jsonl", b"not asked for".to_vec()).await;
    let outcome = f.night().await.unwrap();
    assert_eq!((outcome.rows_out, outcome.rows_rejected), (3, 1));
    assert!(f.night().await.unwrap().up_to_date);

    put("exports/b c.jsonl", b"{\"event\":\"b\",\"n\":4}\n".to_vec()).await;
    assert_eq!(f.night().await.unwrap().rows_out, 1);
    let rows = f.rows("SELECT event, n, _file, _line, _extracted_at FROM raw.s__x ORDER BY _extracted_at, _file, _line").await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(rows, @r"
        +-------+---+--------------------+-------+----------------------+
        | event | n | _file              | _line | _extracted_at        |
        +-------+---+--------------------+-------+----------------------+
        | a     | 1 | 2024/05/a.jsonl.gz | 1     | 2024-05-01T00:00:00Z |
        | ä     | 2 | 2024/05/a.jsonl.gz | 2     | 2024-05-01T00:00:00Z |
        | b     | 3 | b c.jsonl          | 1     | 2024-05-01T00:00:00Z |
        | b     | 4 | b c.jsonl          | 1     | 2024-05-03T00:00:00Z |
        +-------+---+--------------------+-------+----------------------+
        ");
    }
}
