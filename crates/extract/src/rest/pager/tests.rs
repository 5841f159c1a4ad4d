use super::*;
use crate::rest::error::RestError;

fn paginator(yaml: &str) -> Paginator {
    cscopilot_spec::parse("x.yaml", &std::sync::Arc::from(yaml), yaml, 0).unwrap()
}

struct Api<'a> {
    pager: Pager<'a>,
    url: Url,
    bodies: u64,
    /// Whether the last error asks for a fresh start.
    anew: bool,
}

impl<'a> Api<'a> {
    fn new(spec: &'a Paginator) -> Self {
        Self { pager: Pager::new(Some(spec), None), url: Url::parse("http://h/v1/x").unwrap(), bodies: 0, anew: false }
    }

    fn answer(&mut self, records: u64, values: Value, header: Option<(&str, &str)>, last_id: Option<&str>) -> Result<Next, RestError> {
        self.bodies += 1;
        self.body(self.bodies, records, values, header, last_id)
    }

    /// An answer with a body of this hash.
    fn body(
        &mut self,
        body: u64,
        records: u64,
        values: Value,
        header: Option<(&str, &str)>,
        last_id: Option<&str>,
    ) -> Result<Next, RestError> {
        let values = values.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let headers = header.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let facts = PageFacts { records, values: &values, headers: &headers, last_id, body, url: &self.url };
        self.pager.advance(&facts).map_err(|amiss| {
            self.anew = matches!(amiss, Amiss::Anew(_));
            let (Amiss::Again(error) | Amiss::Anew(error)) = amiss;
            error
        })
    }

    fn params(&self) -> Vec<(String, String)> {
        let mut params = Vec::new();
        self.pager.place(&mut params, &mut None);
        params
    }
}

#[test]
fn a_cursor_goes_on_until_it_is_missing_and_an_empty_page_is_not_the_end() {
    let spec = paginator("cursor: {path: next, place: {param: after}}");
    let mut api = Api::new(&spec);
    assert_eq!(api.params(), []);
    assert_eq!(api.answer(2, json!({"next": "a"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params(), [("after".to_owned(), "a".to_owned())]);
    assert_eq!(api.answer(0, json!({"next": "b"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.answer(1, json!({"next": null}), None, None).unwrap(), Next::End);
}

#[test]
fn a_repeated_cursor_is_an_error_and_the_page_can_be_asked_for_again() {
    let spec = paginator("cursor: {path: next, place: {param: after}}");
    let mut api = Api::new(&spec);
    api.answer(1, json!({"next": "a"}), None, None).unwrap();
    let error = api.answer(1, json!({"next": "a"}), None, None).unwrap_err();
    assert!(matches!(error, RestError::RepeatedPage { .. }), "{error}");
    assert_eq!(api.params()[0].1, "a");
    assert_eq!(api.answer(1, json!({"next": "b"}), None, None).unwrap(), Next::Page);
}

#[test]
fn the_same_body_twice_is_an_error() {
    let spec = paginator("page_number: {param: page, size: 1}");
    let mut api = Api::new(&spec);
    api.answer(1, json!({}), None, None).unwrap();
    api.bodies -= 1;
    assert!(matches!(api.answer(1, json!({}), None, None), Err(RestError::RepeatedPage { .. })));
}

#[test]
fn a_page_that_promises_more_without_a_cursor_is_an_error() {
    let spec = paginator("cursor: {path: next, place: {param: after}, stop_when: {path: more, equals: false}}");
    let mut api = Api::new(&spec);
    assert!(matches!(api.answer(1, json!({"more": true}), None, None), Err(RestError::NoNextPage { .. })));
    assert_eq!(api.answer(1, json!({"more": false}), None, None).unwrap(), Next::End);
}

#[test]
fn a_header_may_say_that_there_is_no_more() {
    let spec = paginator("cursor: {header: X-Locator, none: \"null\", place: {param: locator}}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(1, json!({}), Some(("x-locator", "q")), None).unwrap(), Next::Page);
    assert_eq!(api.answer(1, json!({}), Some(("x-locator", "null")), None).unwrap(), Next::End);
}

#[test]
fn a_cap_makes_the_query_begin_again_behind_the_last_record() {
    let spec = paginator("cursor: {path: next, place: {body: paging.after}, restart: {records: 4, key: id}}");
    let mut api = Api::new(&spec);
    api.answer(2, json!({"next": "2"}), None, Some("11")).unwrap();
    let mut body = Some(json!({"limit": 2}));
    api.pager.place(&mut Vec::new(), &mut body);
    assert_eq!(body, Some(json!({"limit": 2, "paging": {"after": "2"}})));
    assert_eq!(api.answer(2, json!({"next": "4"}), None, Some("17")).unwrap(), Next::Page);
    let (page, restart) = api.pager.context();
    assert_eq!((page["token"].clone(), restart["key"].clone()), (json!(null), json!("17")));
    assert_eq!(api.answer(1, json!({}), None, Some("18")).unwrap(), Next::End);
}

#[test]
fn a_scrolls_token_may_stay_the_same() {
    let spec = paginator("cursor: {path: scroll, place: {param: scroll}, constant: true, empty_page_ends: true}");
    let mut api = Api::new(&spec);
    for _ in 0..3 {
        assert_eq!(api.answer(1, json!({"scroll": "s"}), None, None).unwrap(), Next::Page);
    }
    assert_eq!(api.answer(0, json!({"scroll": "s"}), None, None).unwrap(), Next::End);
}

#[test]
fn counted_pages_and_offsets_end_where_the_api_says() {
    let spec = paginator("offset: {param: offset, size: 2, total: total}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(2, json!({"total": 3}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params()[0].1, "2");
    assert!(matches!(api.answer(0, json!({"total": 3}), None, None), Err(RestError::EmptyPage { .. })));
    assert_eq!(api.answer(1, json!({"total": 3}), None, None).unwrap(), Next::End);

    let spec = paginator("page_number: {param: page, pages: pages}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(5, json!({"pages": 2}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params()[0].1, "2");
    assert_eq!(api.answer(5, json!({"pages": 2}), None, None).unwrap(), Next::End);
}

#[test]
fn ids_and_sessions_lead_on() {
    let spec = paginator("last_id: {param: starting_after, id: id, stop_when: {path: has_more, equals: false}}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(1, json!({"has_more": true}), None, Some("cus_9")).unwrap(), Next::Page);
    assert_eq!(api.params(), [("starting_after".to_owned(), "cus_9".to_owned())]);
    assert!(matches!(api.answer(0, json!({"has_more": true}), None, None), Err(RestError::NoId { .. })));

    let spec = paginator("session_page: {path: session, param: session_id, page_param: page, size: 2}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(2, json!({"session": "s"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.params(), [("session_id".to_owned(), "s".to_owned()), ("page".to_owned(), "1".to_owned())]);
    assert_eq!(api.answer(1, json!({"session": "s"}), None, None).unwrap(), Next::End);
}

#[test]
fn addresses_of_other_hosts_are_refused() {
    let spec = paginator("next_url: {path: next}");
    let mut api = Api::new(&spec);
    assert_eq!(api.answer(1, json!({"next": "/v1/x?page=2"}), None, None).unwrap(), Next::Page);
    assert_eq!(api.pager.url().unwrap().as_str(), "http://h/v1/x?page=2");
    assert!(matches!(api.answer(1, json!({"next": "http://evil/x"}), None, None), Err(RestError::BadNextUrl { .. })));
    assert_eq!(turn::next_link("<http://h/1>; rel=\"prev\", <http://h/3>; title=\"a\"; rel=\"next\"").as_deref(), Some("http://h/3"));
    assert_eq!(turn::next_link("<http://h/1>; rel=\"prev\""), None);
}

#[test]
fn a_clone_starts_anew_for_each_partition() {
    let spec = paginator("page_number: {param: page, first: 0, size: 1}");
    let mut api = Api::new(&spec);
    api.answer(1, json!({}), None, None).unwrap();
    assert_eq!(Api::new(&spec).params()[0].1, "0");
}

/// An answer: records, the body's hash, values beside the records, the `Link` header, the last id.
type Answer = (u64, u64, Value, &'static str, &'static str);

/// What a paginator makes of answers, one word each: `page`, `end`, or the error's code. After an error the next answer is to the same
/// request.
fn read(yaml: &str, answers: &[Answer]) -> Vec<String> {
    let spec = paginator(yaml);
    let mut api = Api::new(&spec);
    let word = |(records, body, values, link, id): &Answer| {
        let link = (!link.is_empty()).then_some(("link", *link));
        if let Some(url) = api.pager.url() {
            api.url = url.clone();
        }
        match api.body(*body, *records, values.clone(), link, (!id.is_empty()).then_some(id)) {
            Ok(Next::Page) => "page".to_owned(),
            Ok(Next::End) => "end".to_owned(),
            Err(error) => cscopilot_diag::Coded::code(&error).to_owned(),
        }
    };
    answers.iter().map(word).collect()
}

#[rstest::rstest]
#[case::a_page_that_came_before_and_then_nothing(
    "cursor: {path: next, place: {param: after}, empty_page_ends: true}",
    vec![(2, 1, json!({"next": "a"}), "", ""), (2, 1, json!({"next": "a"}), "", ""), (0, 3, json!({}), "", "")],
    "page EXT060 EXT076"
)]
#[case::an_empty_page_that_leads_to_itself(
    "cursor: {path: next, place: {param: after}, empty_page_ends: true}",
    vec![(2, 1, json!({"next": "a"}), "", ""), (0, 2, json!({"next": "a"}), "", ""), (0, 3, json!({}), "", "")],
    "page EXT060 EXT076"
)]
#[case::a_cap_at_which_the_token_is_gone(
    "cursor: {path: next, place: {param: after}, restart: {records: 4, key: id}}",
    vec![(2, 1, json!({"next": "a"}), "", "7"), (2, 2, json!({}), "", "9"), (0, 3, json!({}), "", "")],
    "page page end"
)]
#[case::a_page_of_long_ago(
    "cursor: {path: next, place: {param: after}}",
    vec![(2, 1, json!({"next": "a"}), "", ""), (2, 2, json!({"next": "b"}), "", ""), (2, 1, json!({}), "", ""), (2, 3, json!({}), "", "")],
    "page page EXT060 end"
)]
#[case::a_scroll_that_gives_a_page_twice(
    "cursor: {path: scroll, place: {param: scroll}, constant: true, empty_page_ends: true}",
    vec![(2, 1, json!({"scroll": "s"}), "", ""), (2, 1, json!({"scroll": "s"}), "", ""), (0, 2, json!({"scroll": "s"}), "", "")],
    "page EXT060 EXT076"
)]
#[case::an_address_that_leads_back_to_the_first_page(
    "next_url: {path: next}",
    vec![
        (2, 1, json!({"next": "/v1/x?p=2"}), "", ""),
        (2, 2, json!({"next": "/v1/x?p=3"}), "", ""),
        (2, 3, json!({"next": "/v1/x"}), "", ""),
        (2, 4, json!({}), "", ""),
    ],
    "page page EXT060 end"
)]
#[case::a_link_that_leads_back_to_the_first_page(
    "link_header: {}",
    vec![
        (2, 1, json!({}), "<http://h/v1/x?p=2>; rel=next", ""),
        (2, 2, json!({}), "<http://h/v1/x?p=3>; rel=next", ""),
        (2, 3, json!({}), "<http://h/v1/x>; rel=next", ""),
        (0, 4, json!({}), "", ""),
    ],
    "page page EXT060 EXT076"
)]
#[case::a_total_that_shrinks(
    "offset: {param: offset, size: 2, total: total}",
    vec![(2, 1, json!({"total": 5}), "", ""), (2, 2, json!({"total": 4}), "", "")],
    "page EXT077"
)]
#[case::a_total_that_is_gone(
    "offset: {param: offset, size: 2, total: total}",
    vec![(2, 1, json!({"total": 5}), "", ""), (0, 2, json!({"total": 0}), "", ""), (2, 3, json!({}), "", "")],
    "page EXT077 EXT061"
)]
#[case::fewer_pages_than_before(
    "page_number: {param: page, pages: pages}",
    vec![(2, 1, json!({"pages": 3}), "", ""), (2, 2, json!({"pages": 2}), "", "")],
    "page EXT077"
)]
#[case::an_empty_page_among_counted_ones(
    "page_number: {param: page, pages: pages}",
    vec![(2, 1, json!({"pages": 3}), "", ""), (0, 2, json!({"pages": 3}), "", ""), (2, 3, json!({"pages": 3}), "", "")],
    "page EXT062 page"
)]
#[case::nothing_at_all_on_one_page("page_number: {param: page, pages: pages}", vec![(0, 1, json!({"pages": 1}), "", "")], "end")]
#[case::pages_that_begin_anew_behind_the_last_one(
    "page_number: {param: page}",
    vec![(2, 1, json!({}), "", ""), (2, 2, json!({}), "", ""), (2, 1, json!({}), "", "")],
    "page page EXT060"
)]
#[case::an_id_that_leads_back(
    "last_id: {param: after, id: id, stop_when: {path: more, equals: false}}",
    vec![
        (1, 1, json!({"more": true}), "", "a"),
        (1, 2, json!({"more": true}), "", "b"),
        (1, 3, json!({"more": true}), "", "a"),
        (0, 4, json!({"more": false}), "", ""),
    ],
    "page page EXT060 EXT076"
)]
#[case::a_session_that_is_another(
    "session_page: {path: session, param: session_id, page_param: page, size: 2}",
    vec![(2, 1, json!({"session": "s"}), "", ""), (1, 2, json!({"session": "t"}), "", "")],
    "page EXT077"
)]
#[test]
fn nothing_that_may_be_short_ends_the_pages(#[case] yaml: &str, #[case] answers: Vec<Answer>, #[case] expected: &str) {
    assert_eq!(read(yaml, &answers).join(" "), expected);
}

#[test]
fn a_token_that_leads_back_is_asked_for_again_only_where_nothing_can_be_lost() {
    let spec = paginator("cursor: {path: next, place: {param: after}}");
    let mut api = Api::new(&spec);
    api.body(1, 2, json!({"next": "s"}), None, None).unwrap();
    // The page before once more, and an empty one: the page that is asked for is still to come.
    for (body, records) in [(1, 2), (2, 0)] {
        assert!(api.body(body, records, json!({"next": "s"}), None, None).is_err() && !api.anew);
    }
    // New records with the old token: a scroll has moved on.
    assert!(api.body(3, 2, json!({"next": "s"}), None, None).is_err() && api.anew);
}

#[test]
fn an_answer_that_says_there_is_nothing_counts_as_the_end_only_where_an_empty_page_does() {
    let ends = |yaml: &str, read: bool| {
        let spec = paginator(yaml);
        let mut api = Api::new(&spec);
        if read {
            api.answer(1, json!({"next": "a", "more": true}), None, Some("7")).unwrap();
        }
        api.pager.may_end_empty()
    };
    let (by_token, by_id) =
        ("cursor: {path: next, place: {param: after}}", "last_id: {param: after, id: id, stop_when: {path: more, equals: false}}");
    assert!(ends(by_token, false) && ends(by_id, false), "nothing at all");
    assert!(!ends(by_token, true) && !ends(by_id, true), "in the middle");
    assert!(ends("cursor: {path: next, place: {param: after}, empty_page_ends: true}", true) && ends("page_number: {param: p}", true));
}
