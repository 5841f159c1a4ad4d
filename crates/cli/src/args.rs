//! Commands and their options. Doc comments are the help that users read.

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cscopilot_learn::VersionName;
use std::path::PathBuf;

/// Health, churn risk and next best actions for customer success, from a folder of YAML, SQL and templates.
#[derive(Debug, Parser)]
#[command(name = "cscopilot", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The project's folder
    #[arg(long, global = true, value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub(crate) project: PathBuf,
    /// The environment: a file in configs/environments
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Sets a parameter of the project; may stand several times
    #[arg(long = "param", global = true, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) params: Vec<(String, String)>,
    /// How results are written to stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Says more; twice says everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Says nothing but errors and results
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a copy of the starter project
    Init(InitArgs),
    /// Makes a simulated company's extracts, or serves fakes of vendors' APIs
    Simulate(SimulateArgs),
    /// Compiles everything without touching data or the network
    Check,
    /// Shows what a run would do
    Plan(RunArgs),
    /// Runs a pipeline
    Run(RunArgs),
    /// Takes the newest run up where it stopped
    Retry,
    /// Reads one source, and shows what was read of each stream
    Extract(ExtractArgs),
    /// Lists the streams of all sources: rows, cursor, lag
    Sources,
    /// Tries every source: credentials, permissions, reachability, what is left of the quota
    Doctor(DoctorArgs),
    /// Runs the SQL unit tests
    Test(TestArgs),
    /// Runs a SQL query over the lake
    Query(QueryArgs),
    /// Lists the lake's tables
    Tables(TablesArgs),
    /// Shows which tables a table is made from, and which are made from it
    Lineage(LineageArgs),
    /// Lists the models of the registry, shows and compares their versions, decides which of them scores
    Models(ModelsArgs),
    /// Explains one account's scores
    Explain(ExplainArgs),
    /// Writes fields to the CRM, or shows what would be written
    Sync(SyncArgs),
}

/// The date that a command works for.
#[derive(Debug, Clone, Args)]
pub(crate) struct AsOf {
    /// The date the work is done for: nothing known later is used [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) as_of: Option<NaiveDate>,
}

impl AsOf {
    pub(crate) fn date(&self) -> NaiveDate {
        self.as_of.unwrap_or_else(cscopilot_diag::clock::today)
    }
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to make; it must not exist or be empty
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    #[command(subcommand)]
    pub(crate) serve: Option<SimulateCommand>,
    /// Paying customers on the first day
    #[arg(long, default_value_t = 2000)]
    pub(crate) accounts: usize,
    /// Calendar months of history
    #[arg(long, default_value_t = 18)]
    pub(crate) months: u32,
    /// Usage events a day over the whole company [default: two per account]
    #[arg(long)]
    pub(crate) events_per_day: Option<u64>,
    /// Another seed is another company
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// The last day that the extracts know
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-06-30")]
    pub(crate) as_of: NaiveDate,
    /// The folder that gets the extracts and the truth
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SimulateCommand {
    /// Serves fakes of eight vendors' APIs over one simulated company on 127.0.0.1, to extract from
    Serve(ServeArgs),
    /// Serves a fake Salesforce on 127.0.0.1 that keeps what it is sent, to sync to
    Crm(CrmArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8100)]
    pub(crate) port: u16,
    /// Paying customers on the first day
    #[arg(long, default_value_t = 200)]
    pub(crate) accounts: usize,
    /// Calendar months of history
    #[arg(long, default_value_t = 3)]
    pub(crate) months: u32,
    /// Usage events a day over the whole company
    #[arg(long, default_value_t = 200)]
    pub(crate) events_per_day: u32,
    /// Another seed is another company
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Enforces the vendors' rates, with small numbers
    #[arg(long)]
    pub(crate) rate_limited: bool,
    /// Gives a new refresh token with each access token, as some vendors do
    #[arg(long)]
    pub(crate) rotate_refresh_tokens: bool,
    /// Records of `/bench/events`, a stream to measure with
    #[arg(long, default_value_t = 100_000, hide = true)]
    pub(crate) bench_records: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CrmArgs {
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 8089)]
    pub(crate) port: u16,
    /// The folder of a simulated company's extracts
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data: PathBuf,
    /// The folder that keeps the records' state and the requests
    #[arg(long, value_name = "DIR", default_value = "data/fake_salesforce")]
    pub(crate) state: PathBuf,
    /// The bearer token that it accepts
    #[arg(long, default_value = "demo-token")]
    pub(crate) token: String,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The pipeline: a file in pipelines/
    pub(crate) pipeline: String,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
    /// Only these tasks, tables or schemas; `+x` adds what x needs, `x+` what needs x
    #[arg(long, value_name = "SELECTOR", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// Computes everything derived anew; raw tables stay
    #[arg(long)]
    pub(crate) full_refresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExtractArgs {
    /// The source: a file in configs/sources
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
    /// Only this stream; may stand several times
    #[arg(long = "stream", value_name = "NAME")]
    pub(crate) streams: Vec<String>,
    /// Shows the first records and keeps nothing
    #[arg(long)]
    pub(crate) preview: bool,
    /// How many records a preview shows
    #[arg(long, value_name = "N", default_value_t = 10, requires = "preview")]
    pub(crate) limit: usize,
    /// Writes every exchange with the API into this folder, without secrets
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,
    /// Answers every request from this folder; sends nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) replay: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Only this source
    pub(crate) source: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Only these tests, tables, schemas or files
    pub(crate) select: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The query; `-` reads it from stdin
    pub(crate) sql: String,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
    /// How the rows are written
    #[arg(long, short, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    /// Adds a digest of each table's rows, whatever their order: equal digests mean equal rows
    #[arg(long)]
    pub(crate) digest: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LineageArgs {
    /// Only this table (`marts.accounts`) or column (`marts.accounts.arr`)
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Lists every version of every model, the newest first
    List,
    /// Shows a version's model card
    Show {
        /// The model: a file in configs/models
        model: String,
        /// The version's number, `champion` or `challenger`
        #[arg(default_value = "champion")]
        version: VersionName,
    },
    /// Compares two versions: figures with their intervals, settings, features
    Compare {
        /// The model: a file in configs/models
        model: String,
        /// The version's number, `champion` or `challenger`
        from: VersionName,
        /// The other version
        to: VersionName,
    },
    /// Makes a version champion, whatever the gates said of it
    Promote {
        /// The model: a file in configs/models
        model: String,
        /// The version's number, or `challenger`
        version: VersionName,
        #[command(flatten)]
        decision: DecisionArgs,
    },
    /// Withdraws the champion: the one before it scores again
    Rollback {
        /// The model: a file in configs/models
        model: String,
        #[command(flatten)]
        decision: DecisionArgs,
    },
}

/// A decision is kept with its date and its reason.
#[derive(Debug, Args)]
pub(crate) struct DecisionArgs {
    /// Why, for whoever reads the registry later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The account's id
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// The mapping: a file in configs/syncs
    pub(crate) sync: String,
    #[command(flatten)]
    pub(crate) as_of: AsOf,
    /// Shows what would be written, and writes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
