use crate::At;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a stream's files are written. Gzip and zstd are recognised by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// Text with one record a line and fields between delimiters.
    Csv(CsvFormat),
    /// One JSON object a line.
    Jsonl(JsonlFormat),
    /// Apache Parquet.
    Parquet(ParquetFormat),
}

/// How CSV files are written. A quote inside a quoted field is doubled, and quoted fields may hold line breaks (RFC 4180).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvFormat {
    /// The sign between fields.
    pub delimiter: At<char>,
    /// The sign around fields that hold delimiters or line breaks; `null` where there is none.
    pub quote: Option<At<char>>,
    /// Whether the first record names the columns. Without a header the declared columns are the file's, in their order.
    pub header: bool,
    /// Lines to pass over before the header or the first record.
    pub skip_lines: u32,
    /// The encoding by its web label, such as `utf-8`, `windows-1252`, `iso-8859-15`, `utf-16le`, `shift_jis`.
    pub encoding: At<String>,
    /// Texts that stand for NULL. By default the empty text.
    pub null_values: Vec<String>,
    /// Removes blanks around text (around other types they are always removed).
    pub trim: bool,
    /// The sign before the fraction of numbers, for all columns that don't say otherwise.
    pub decimal_separator: Option<At<char>>,
    /// The sign between groups of three digits, for all columns that don't say otherwise.
    pub thousands_separator: Option<At<char>>,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self {
            delimiter: At::nowhere(','),
            quote: Some(At::nowhere('"')),
            header: true,
            skip_lines: 0,
            encoding: At::nowhere("utf-8".to_owned()),
            null_values: vec![String::new()],
            trim: false,
            decimal_separator: None,
            thousands_separator: None,
        }
    }
}

/// How JSON Lines files are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonlFormat {
    /// The encoding by its web label.
    pub encoding: At<String>,
}

impl Default for JsonlFormat {
    fn default() -> Self {
        Self { encoding: At::nowhere("utf-8".to_owned()) }
    }
}

/// Settings of Parquet files: none so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParquetFormat {}

impl Format {
    /// The format that the endings of a file name or pattern tell: `x.csv.gz` and `*.csv*` are CSV.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.trim_end_matches('*').trim_end_matches('.');
        let stem = [".gz", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let (_, ending) = stem.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv(CsvFormat::default())),
            "tsv" => Some(Self::Csv(CsvFormat { delimiter: At::nowhere('\t'), ..CsvFormat::default() })),
            "jsonl" | "ndjson" => Some(Self::Jsonl(JsonlFormat::default())),
            "parquet" => Some(Self::Parquet(ParquetFormat::default())),
            _ => None,
        }
    }
}
