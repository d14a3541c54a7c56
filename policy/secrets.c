/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/secrets.h"

/* What the profiles `secrets` and `base` keep shut, one example of each kind. */
const struct secret policy_secrets[] = {
	{"~/.ssh/id_ed25519", NULL, "private keys"},
	{"~/.gnupg/private-keys-v1.d/key", NULL, "private keys"},
	{"~/.aws/credentials", NULL, "keys of a cloud"},
	{"~/.azure/msal_token_cache.json", NULL, "tokens of a cloud"},
	{"~/.config/gcloud/credentials.db", NULL, "tokens of a cloud"},
	{"~/.kube/config", NULL, "tokens of clusters"},
	{"~/.docker/config.json", NULL, "passwords of registries"},
	{"~/.config/gh/hosts.yml", NULL, "tokens of GitHub"},
	{"~/.git-credentials", NULL, "passwords of git"},
	{"~/.netrc", NULL, "passwords"},
	{"~/.pgpass", NULL, "passwords of databases"},
	{"~/.npmrc", NULL, "tokens of npm"},
	{"~/.pypirc", NULL, "tokens of PyPI"},
	{"~/.cargo/credentials.toml", NULL, "tokens of crates.io"},
	{"~/.vault-token", NULL, "a token of Vault"},
	{"~/.password-store/entry.gpg", NULL, "passwords"},
	{"~/.local/share/keyrings/login.keyring", NULL, "passwords"},
	{"~/.mozilla/firefox/profile/logins.json", NULL, "passwords of the browser"},
	{"~/.config/google-chrome/Default/Login Data", NULL, "passwords of the browser"},
	{"~/.bash_history", NULL, "what was typed"},
	{"/etc/shadow", NULL, "password hashes"},
	{"/etc/ssh/ssh_host_ed25519_key", NULL, "private keys of this host"},
	{"/etc/ssl/private/key.pem", NULL, "private keys of services"},
	{"/run/secrets/secret", NULL, "secrets of a container"},
	{"/proc/1/environ", NULL, "environments of other processes"},
	{NULL, "unix:/run/docker.sock", "which gives root's rights"},
	{NULL, "unix:/run/containerd/containerd.sock", "which gives root's rights"},
	{NULL, "169.254.169.254:80", "where clouds give out keys"},
};
const size_t policy_secret_count = sizeof(policy_secrets) / sizeof(policy_secrets[0]);
