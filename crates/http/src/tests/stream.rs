//! Bodies as they come, whole and broken.

use crate::testing::{Act, answer, answers, client, scripted};
use crate::{Answer, Error, Request, Result, Url};
use cscopilot_diag::Coded;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// `LINES`, compressed by gzip.
const GZIPPED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 76, 81, 178, 82, 48, 172, 229, 170, 134, 176, 140, 224, 172, 81, 177, 81, 177, 17, 47,
    6, 0, 52, 50, 54, 65, 32, 3, 0, 0,
];

fn lines() -> String {
    "{\"id\": 1}\n{\"id\": 2}\n".repeat(40)
}

async fn open(url: &Url) -> Answer {
    client().open(&Request::get(url.clone())).await.unwrap()
}

/// All that comes before the end or the error.
async fn drain(answer: &mut Answer) -> (Vec<u8>, Result<()>) {
    let mut all = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => all.extend_from_slice(&piece),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

async fn breaks(script: Vec<Act>, arrives: &[u8]) {
    let (url, _) = scripted(vec![script]).await;
    let mut answer = open(&url).await;
    let (got, end) = drain(&mut answer).await;
    let error = end.unwrap_err();
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(arrives));
    assert!(matches!(&error, Error::NoAnswer { unsent: false, .. }), "{error:?}");
    // Whoever asks again doesn't get an end that looks like a good one.
    assert_eq!(answer.chunk().await.unwrap_err(), error);
}

fn head(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes()
}

fn chunked(pieces: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[tokio::test]
async fn pieces_are_there_before_the_body_has_ended() {
    let gate = Arc::new(Semaphore::new(0));
    let script = vec![
        Act::Send(head("transfer-encoding: chunked\r\n")),
        Act::Send(chunked(&[b"first"])),
        Act::Await(Arc::clone(&gate)),
        Act::Send(chunked(&[b"second", b""])),
    ];
    let (url, _) = scripted(vec![script]).await;
    let mut answer = open(&url).await;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    gate.add_permits(1);
    let (rest, end) = drain(&mut answer).await;
    assert_eq!((rest.as_slice(), end, answer.chunk().await), (&b"second"[..], Ok(()), Ok(None)));
}

#[tokio::test]
async fn a_stalled_body_breaks() {
    breaks(vec![Act::Send(head("content-length: 10\r\n")), Act::Send(b"12345".to_vec()), Act::Hang], b"12345").await;
}

#[tokio::test]
async fn a_server_that_never_answers_breaks() {
    let (url, _) = scripted(vec![vec![Act::Hang]]).await;
    let error = client().open(&Request::get(url)).await.unwrap_err();
    assert_eq!(error.code(), "HTT003");
}

#[tokio::test]
async fn a_body_shorter_than_its_content_length_breaks() {
    breaks(vec![Act::Send(head("content-length: 10\r\n")), Act::Send(b"12345".to_vec())], b"12345").await;
}

#[tokio::test]
async fn a_chunked_body_without_its_end_breaks() {
    breaks(vec![Act::Send(head("transfer-encoding: chunked\r\n")), Act::Send(chunked(&[b"12345"]))], b"12345").await;
    breaks(vec![Act::Send(head("transfer-encoding: chunked\r\n")), Act::Send(b"a\r\n12345".to_vec())], b"12345").await;
}

#[tokio::test]
async fn a_compressed_body_is_unpacked_and_has_no_known_length() {
    let (url, requests) = answers(vec![answer(200, &[("content-encoding", "gzip")], GZIPPED)]).await;
    let mut answer = open(&url).await;
    assert_eq!(answer.content_length(), None);
    let (got, end) = drain(&mut answer).await;
    assert_eq!((String::from_utf8(got).unwrap(), end), (lines(), Ok(())));
    assert!(requests.lock().unwrap()[0].contains("accept-encoding: gzip"));
}

#[tokio::test]
async fn a_compressed_body_that_is_cut_breaks_even_where_its_length_is_right() {
    for cut in [0_usize, 5, GZIPPED.len() / 2, GZIPPED.len() - 8, GZIPPED.len() - 1] {
        let (url, _) = answers(vec![answer(200, &[("content-encoding", "gzip")], &GZIPPED[..cut])]).await;
        let mut answer = open(&url).await;
        let (got, end) = drain(&mut answer).await;
        // Nothing at all is an empty body, compressed or not.
        assert_eq!(end.is_ok(), cut == 0, "cut at {cut}: {} bytes, {end:?}", got.len());
    }
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_an_error_and_no_rubbish() {
    let (url, _) = answers(vec![answer(200, &[("content-encoding", "br")], b"\x0b\x02\x80")]).await;
    let mut answer = open(&url).await;
    let (got, end) = drain(&mut answer).await;
    assert_eq!((got.len(), end.unwrap_err().code()), (0, "HTT008"));
}

#[tokio::test]
async fn any_status_is_an_answer_and_is_asked_for_once() {
    let (url, requests) = answers(vec![answer(503, &[("retry-after", "7")], b" busy\n now "), answer(200, &[], b"")]).await;
    let answer = open(&url).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str(), &answer.url), (503, "7", &url));
    assert_eq!(answer.excerpt(b" busy\n now "), "busy now");
    assert_eq!(answer.bytes(100).await.unwrap(), " busy\n now ");
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let long = chunked(&[b"12345", b"67890", b""]);
    let in_chunks = [head("transfer-encoding: chunked\r\n"), long].concat();
    let known = answer(200, &[], b"1234567890");
    for (bytes, most, fits) in [(&in_chunks, 10, true), (&in_chunks, 9, false), (&known, 10, true), (&known, 9, false)] {
        let (url, _) = answers(vec![bytes.clone()]).await;
        let body = open(&url).await.bytes(most).await;
        match body {
            Ok(body) => assert!(fits && body == "1234567890"),
            Err(error) => assert_eq!((fits, error.code()), (false, "HTT008")),
        }
    }
}

#[tokio::test]
async fn headers_of_one_name_are_joined() {
    let (url, _) = answers(vec![answer(200, &[("Link", "<a>; rel=\"next\""), ("link", "<b>; rel=\"last\"")], b"")]).await;
    assert_eq!(open(&url).await.headers["link"], "<a>; rel=\"next\", <b>; rel=\"last\"");
}

#[tokio::test]
async fn a_body_that_breaks_while_it_is_sent_for_is_asked_for_again() {
    let cut = vec![Act::Send(head("content-length: 10\r\n")), Act::Send(b"{\"id\"".to_vec())];
    let (url, requests) = scripted(vec![cut, vec![Act::Send(answer(200, &[], b"{\"id\": 1}"))]]).await;
    let response = client().send(&Request::get(url)).await.unwrap();
    assert_eq!((response.body.as_ref(), requests.lock().unwrap().len()), (&b"{\"id\": 1}"[..], 2));
}

#[tokio::test]
async fn redirections_are_followed_and_end_somewhere() {
    let (url, requests) = answers(vec![answer(302, &[("location", "/v2/things?page=1")], b""), answer(200, &[], b"moved")]).await;
    let answered = open(&url).await;
    assert_eq!((answered.url.path(), answered.url.query()), ("/v2/things", Some("page=1")));
    assert_eq!(answered.bytes(10).await.unwrap(), "moved");
    assert!(requests.lock().unwrap()[1].starts_with("GET /v2/things?page=1 "));
    let (url, requests) = answers((0..20).map(|_| answer(302, &[("location", "/again")], b"")).collect()).await;
    let error = client().open(&Request::get(url)).await.unwrap_err();
    assert_eq!((error.code(), requests.lock().unwrap().len()), ("HTT008", 11));
}
