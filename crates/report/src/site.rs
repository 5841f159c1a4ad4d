//! The step: from the lake to a published site.

use crate::error::Error;
use crate::night::Night;
use crate::publish::{Published, Stage};
use crate::templates::{self, Source};
use crate::view::{self, View};
use crate::{read, render, settings};
use chrono::NaiveDate;
use cscopilot_diag::{Diagnostic, Diagnostics, Place};
use cscopilot_lake::step::{Outcome, Progress, StepContext};
use cscopilot_lake::{Objects, TableName};
use cscopilot_spec::{Project, Site, Step};
use minijinja::{Environment, Value, context};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Renders and publishes the site of a night.
///
/// The outcome's facts: `pages`, `bytes`, `overview` (where to open it), `version` (the content id).
///
/// # Errors
/// Templates that don't render, a lake that can't be read, a disk that can't be written.
pub async fn run(ctx: &StepContext) -> Result<Outcome, Error> {
    let project = &ctx.project;
    let site = settings::site(project);
    ctx.progress.note("reading the night");
    let night = read::night(&ctx.lake, project, ctx.as_of, site.compare_days).await?;
    ctx.progress.note("rendering pages");
    let rendered = publish(project, &site, &night, &ctx.lake.objects(), &ctx.progress).await?;
    let mut outcome = Outcome { rows_in: night.accounts.len() as u64, rows_out: rendered.pages, up_to_date: false, ..Outcome::default() };
    for (path, bytes) in &rendered.too_large {
        let error = Error::TooLarge { path: path.clone(), bytes: *bytes, limit: render::PAGE_LIMIT };
        outcome.warn("RPT003", error.to_string());
    }
    outcome.fact("pages", rendered.pages);
    outcome.fact("bytes", rendered.published.bytes);
    outcome.fact("overview", rendered.published.overview.as_str());
    outcome.fact("version", rendered.published.id.as_str());
    outcome.fact("unchanged", rendered.published.unchanged);
    Ok(outcome)
}

/// Paths and sizes of pages.
type Sizes = Vec<(String, usize)>;

/// What rendering and publishing gave.
pub(crate) struct Rendered {
    pub(crate) published: Published,
    pub(crate) pages: u64,
    /// Pages beyond the limit: shown as warnings, since a large page is better than none in the morning.
    pub(crate) too_large: Sizes,
}

/// Renders all pages of a night and publishes them.
pub(crate) async fn publish(
    project: &Project,
    site: &Site,
    night: &Night,
    objects: &Objects,
    progress: &Progress,
) -> Result<Rendered, Error> {
    let (stage, pages, too_large) = stage(project, site, night, objects, progress)?;
    let published = stage.publish(objects, site.keep_versions.value as usize).await?;
    Ok(Rendered { published, pages, too_large })
}

/// Renders all pages of a night into a new stage: the number of pages, and those beyond the limit.
fn stage(project: &Project, site: &Site, night: &Night, objects: &Objects, progress: &Progress) -> Result<(Stage, u64, Sizes), Error> {
    let reports = &project.config.value.reports;
    let sources = templates::sources(&project.root, reports).map_err(Error::Templates)?;
    let env = environment(project, site, night, &sources).map_err(Error::Templates)?;
    let bands = settings::bands(project, site, night);
    let titles = settings::titles(project);
    let rows_per_page = site.rows_per_page.value.max(1) as usize;
    let view = View { night, bands: &bands, titles: &titles, rows_per_page };
    let pages = view::pages(&view);
    progress.expect_rows(pages.len() as u64);
    let stage = Stage::begin(objects)?;
    let folder = format!("{}/assets", reports.trim_end_matches('/'));
    for (name, bytes) in templates::read_folder(&project.root, &folder).map_err(|e| Error::io(format!("reading {folder}"), e))? {
        stage.put(&format!("assets/{name}"), bytes)?;
    }
    stage.put("search.js", view::search_index(night).into_bytes())?;
    let too_large = Mutex::new(Vec::new());
    render::render_all(&env, &sources, &pages, &|path, html| {
        if html.len() > render::PAGE_LIMIT {
            too_large.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), html.len()));
        }
        progress.rows(1);
        stage.put(path, html.into_bytes())
    })?;
    let mut too_large = too_large.into_inner().unwrap_or_else(PoisonError::into_inner);
    too_large.sort();
    let count = pages.len() as u64;
    Ok((stage, count, too_large))
}

/// The templates compiled, with what every page shows.
pub(crate) fn environment(project: &Project, site: &Site, night: &Night, sources: &[Source]) -> Result<Environment<'static>, Diagnostics> {
    let company = site.company.clone().unwrap_or_else(|| crate::format::humanise(&project.config.value.name));
    let about = context! {
        title => site.title.as_str(),
        company => company,
        accent => site.accent.value.as_str(),
        as_of => night.as_of.format("%Y-%m-%d").to_string(),
        version => env!("CARGO_PKG_VERSION"),
    };
    let has_model = night.accounts.iter().any(|a| a.risk.is_some());
    templates::compile(sources, &settings::format(site), vec![("site", about), ("has_model", Value::from(has_model))])
}

/// Compiles all templates and renders every page once over an empty night, so that a misspelt name is found before a run. A project whose
/// pipelines have no report needs no templates.
pub fn check(project: &Project, out: &mut Diagnostics) {
    let reports = &project.config.value.reports;
    if !project.root.join(reports).is_dir() {
        let wanted = project.pipelines.values().flat_map(|p| &p.value.steps).any(|step| matches!(step, Step::Report(_)));
        if !wanted {
            return;
        }
        out.push(
            Diagnostic::error("RPT010", format!("the project has no folder `{reports}`"))
                .at(Place::file(reports.clone()))
                .with_help("`cscopilot init` writes a project with templates; copy its `reports` folder"),
        );
        return;
    }
    let sources = match templates::sources(&project.root, reports) {
        Ok(sources) => sources,
        Err(problems) => return out.extend(problems),
    };
    let site = settings::site(project);
    let night = Night { as_of: NaiveDate::default(), ..Night::default() };
    let env = match environment(project, &site, &night, &sources) {
        Ok(env) => env,
        Err(problems) => return out.extend(problems),
    };
    let bands = settings::bands(project, &site, &night);
    let titles = settings::titles(project);
    let view = View { night: &night, bands: &bands, titles: &titles, rows_per_page: 1 };
    let mut seen = BTreeSet::new();
    for page in view::pages(&view) {
        if let Err(Error::Templates(problems)) = render::render(&env, &sources, &page) {
            out.extend(problems.into_iter().filter(|p| seen.insert(p.to_string())));
        }
    }
}

/// What the site depends on, for whoever plans a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Tables that must be up to date before. SQL-made ones count because their sizes are shown.
    pub reads: Vec<TableName>,
    /// Texts that decide how pages look: templates, assets, and the files that name things.
    pub texts: Vec<Arc<str>>,
}

/// The one task of this crate. It writes no table.
#[must_use]
pub fn tasks(project: &Project) -> Task {
    // Only models of something else than accounts make it.
    let entities = project.models.values().any(|m| m.value.sub_entity().is_some()).then_some(read::ENTITY_SCORES);
    let names = read::TABLES.iter().copied().chain(entities).chain(project.sql.keys().map(String::as_str));
    let reads: BTreeSet<TableName> = names.filter_map(|name| name.parse().ok()).collect();
    let mut texts: Vec<Arc<str>> = project.site.iter().map(|s| Arc::clone(&s.text)).collect();
    texts.extend(project.scorecards.values().map(|f| Arc::clone(&f.text)));
    texts.extend(project.alerts.values().map(|f| Arc::clone(&f.text)));
    texts.extend(project.opportunities.values().map(|f| Arc::clone(&f.text)));
    texts.extend(project.plays.values().map(|f| Arc::clone(&f.text)));
    texts.extend(project.features.values().map(|f| Arc::clone(&f.text)));
    texts.extend(project.models.values().map(|f| Arc::clone(&f.text)));
    // Assets may be pictures: their hash stands for them. What can't be read here fails in `check` or `run`.
    for (name, bytes) in templates::read_folder(&project.root, &project.config.value.reports).unwrap_or_default() {
        texts.push(Arc::from(format!("{name} {}", blake3::hash(&bytes).to_hex())));
    }
    Task { reads: reads.into_iter().collect(), texts }
}
