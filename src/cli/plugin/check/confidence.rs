//! What an installation needs of Confidence.

use super::CheckFlags;
use super::item::{Item, failed, passed};
use crate::cli::plugin::account::{Listed, client_id, list_clients, list_credentials, requester};
use crate::cli::plugin::error::confidence_sentence;
use crate::confidence::wire::{Client, ClientCredential};
use crate::confidence::{Cause, Confidence, Error};

const URL: &str = "URL and TLS";
const TOKEN: &str = "token";
const LIST_CLIENTS: &str = "list clients";
const LIST: &str = "list credentials";
const READ: &str = "read a credential";

/// Tries what the operator and the commands do at Confidence, as far as it changes nothing.
pub(super) async fn check(flags: &CheckFlags) -> Vec<Item> {
    let account = match flags.target.account().await {
        Ok(account) => account,
        Err(error) => return vec![failed("account", error.to_string())],
    };
    let confidence = &account.confidence;
    let clients = list_clients(confidence).await;
    let mut items = judge_clients(&account.url, &clients, flags.client.is_some());
    if items.iter().any(|item| !item.ok && matches!(item.requirement.as_str(), URL | TOKEN)) {
        return items;
    }
    let given = flags.client.as_deref().map(client_id);
    match given.or_else(|| clients.ok()?.entries.into_iter().next().map(|client| client.id)) {
        Some(client) => items.extend(check_client(confidence, &client).await),
        None => items.push(failed(LIST, "no client to list the credentials of; give --client")),
    }
    items
}

async fn check_client(confidence: &Confidence, client: &str) -> Vec<Item> {
    let listed = list_credentials(confidence, client).await;
    let mut items = vec![judge_list(client, &listed)];
    let first = listed.ok().and_then(|listed| listed.entries.into_iter().find_map(|it| it.name));
    match first {
        Some(name) => items.push(match confidence.get(&name, &requester()).await {
            Ok(_) => passed(READ, name.to_string()),
            Err(error) => {
                failed(READ, format!("{}; the operator needs read:clientcredentials", confidence_sentence(&error)))
            }
        }),
        None => items.push(passed(READ, "not tried: there is no credential")),
    }
    items
}

/// The first call tells of the way there and of the token as well. Clients need be listed only for `import --all` and
/// `audit`, so with a client in hand a refusal of that is no failure.
fn judge_clients(url: &str, clients: &Result<Listed<Client>, Error>, has_client: bool) -> Vec<Item> {
    let error = match clients {
        Ok(listed) => {
            let found = format!("{} clients", listed.entries.len());
            return vec![passed(URL, url), passed(TOKEN, "accepted"), passed(LIST_CLIENTS, found)];
        }
        Err(error) => error,
    };
    match error.cause() {
        Cause::Unauthenticated => vec![passed(URL, url), failed(TOKEN, confidence_sentence(error))],
        Cause::Forbidden if has_client => {
            vec![passed(URL, url), passed(TOKEN, "accepted"), passed(LIST_CLIENTS, "not allowed: use --client")]
        }
        Cause::Forbidden => {
            let advice = "Confidence refuses it (HTTP 403); grant read:clients, or give --client".to_owned();
            vec![passed(URL, url), passed(TOKEN, "accepted"), failed(LIST_CLIENTS, advice)]
        }
        _ => vec![failed(URL, confidence_sentence(error))],
    }
}

fn judge_list(client: &str, listed: &Result<Listed<ClientCredential>, Error>) -> Item {
    match listed {
        Ok(listed) if listed.unreadable > 0 => {
            failed(LIST, format!("clients/{client}: {} entries cannot be read; report them", listed.unreadable))
        }
        Ok(listed) => passed(LIST, format!("{} of clients/{client}", listed.entries.len())),
        Err(error) => failed(
            LIST,
            format!(
                "clients/{client}: {}; creating and listing need read:clientcredentials",
                confidence_sentence(error)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(cause: Cause, has_client: bool) -> Vec<(String, bool)> {
        let items = judge_clients("https://h", &Err(Error::new(cause, "")), has_client);
        items.into_iter().map(|item| (item.requirement, item.ok)).collect()
    }

    /// The line that fails is the one that a person has to mend.
    #[test]
    fn failure_is_told_where_it_is_mended() {
        let items = |list: &[(&str, bool)]| list.iter().map(|(name, ok)| ((*name).to_owned(), *ok)).collect::<Vec<_>>();
        assert_eq!(judged(Cause::TlsFailed, false), items(&[(URL, false)]));
        assert_eq!(judged(Cause::Unauthenticated, false), items(&[(URL, true), (TOKEN, false)]));
        assert_eq!(judged(Cause::Forbidden, false), items(&[(URL, true), (TOKEN, true), (LIST_CLIENTS, false)]));
        assert_eq!(judged(Cause::Forbidden, true), items(&[(URL, true), (TOKEN, true), (LIST_CLIENTS, true)]));
    }
}
