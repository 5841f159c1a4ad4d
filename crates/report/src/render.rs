//! Renders pages in parallel.

use crate::error::Error;
use crate::templates::{self, Source};
use crate::view::Page;
use minijinja::Environment;
use rayon::prelude::*;

/// No page may be larger: it is read on phones and over slow lines.
pub(crate) const PAGE_LIMIT: usize = 40 * 1024;

/// Renders all pages on all cores and hands each one to `put`.
pub(crate) fn render_all(
    env: &Environment<'static>,
    sources: &[Source],
    pages: &[Page<'_>],
    put: &(dyn Fn(&str, String) -> Result<(), Error> + Sync),
) -> Result<(), Error> {
    pages.par_iter().try_for_each(|page| put(&page.path, render(env, sources, page)?))
}

/// Renders one page.
pub(crate) fn render(env: &Environment<'static>, sources: &[Source], page: &Page<'_>) -> Result<String, Error> {
    let context = (page.context)()?;
    let template = env.get_template(page.template).map_err(|e| templates::failed(&e, sources))?;
    let html = template.render(context).map_err(|e| templates::failed(&e, sources))?;
    Ok(squeeze(&html))
}

/// Drops the indentation and empty lines that templates leave; `<pre>` isn't used on these pages.
fn squeeze(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for line in html.lines() {
        let line = line.trim();
        if !line.is_empty() {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
