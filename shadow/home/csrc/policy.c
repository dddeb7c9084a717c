/* What the job may see and change: rules by canonical path, secrets by inode too. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>

#define REFRESH_MS 1000 /* all rules once within this time */
#define REFRESH_STEP_MS 8

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool has_wildcard(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

static bool is_pattern(const struct hp_home_rule *given)
{
	const char *name = strrchr(given->path, '/');

	return given->share == HP_SHARE_HIDE && name != NULL && has_wildcard(name + 1);
}

static int rule_init(struct hp_rule *rule, const struct hp_home_rule *given)
{
	size_t length = strlen(given->path);
	char *name;

	if (given->path[0] != '/' || length > HPW_MAX_PATH || given->share > HP_SHARE_HIDE)
		return -EINVAL;
	while (length > 0 && given->path[length - 1] == '/')
		length--;
	rule->path = strndup(given->path, length);
	if (rule->path == NULL)
		return -ENOMEM;
	rule->share = given->share;
	name = strrchr(rule->path, '/');
	if (is_pattern(given)) {
		rule->pattern = strdup(name + 1);
		if (rule->pattern == NULL)
			return -ENOMEM;
		*name = 0;
	}
	rule->length = (uint32_t)strlen(rule->path);
	return 0;
}

/* Patterns first, otherwise in the given order. */
int hp_policy_init(struct hp_policy *policy, const struct hp_home_policy *given)
{
	if (given->fallback > HP_SHARE_HIDE)
		return -EINVAL;
	policy->fallback = given->fallback;
	policy->rules = calloc((size_t)given->count + 1, sizeof(*policy->rules));
	policy->secrets = calloc(2 * (size_t)given->count + 1, sizeof(*policy->secrets));
	if (policy->rules == NULL || policy->secrets == NULL)
		return -ENOMEM;
	for (int patterns = 1; patterns >= 0; patterns--) {
		for (unsigned i = 0; i < given->count; i++) {
			struct hp_rule *rule = &policy->rules[policy->count];
			int error;

			if (is_pattern(&given->rules[i]) != patterns)
				continue;
			policy->count++;
			error = rule_init(rule, &given->rules[i]);
			if (error != 0)
				return error;
			if (patterns)
				policy->patterns++;
			else
				policy->lengths |= 1ull << (rule->length % 64);
		}
	}
	policy->refreshed_ms = INT64_MIN / 2;
	pthread_mutex_init(&policy->refreshing, NULL);
	return 0;
}

void hp_policy_free(struct hp_policy *policy)
{
	for (unsigned i = 0; i < policy->count; i++) {
		free(policy->rules[i].path);
		free(policy->rules[i].pattern);
	}
	free(policy->rules);
	free(policy->secrets);
}

static uint64_t learn_secret(struct hp_secret *secret, const char *path, int flags)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, flags | AT_NO_AUTOMOUNT, STATX_INO, &stx) != 0) {
		secret->ino = 0;
		return 0;
	}
	secret->dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	secret->ino = stx.stx_ino;
	return 1ull << (stx.stx_ino % 64);
}

static uint64_t learn_rule(struct hp_policy *policy, unsigned number)
{
	const struct hp_rule *rule = &policy->rules[number];
	uint64_t mask;

	if (rule->share != HP_SHARE_HIDE || rule->length == 0)
		return 0;
	mask = learn_secret(&policy->secrets[2 * number], rule->path, AT_SYMLINK_NOFOLLOW);
	mask |= learn_secret(&policy->secrets[2 * number + 1], rule->path, 0);
	return mask;
}

/* A few rules at a time, as many as the time since then asks for: nobody waits for
 * hundreds of lookups. The mask only grows during a round; the next one begins with
 * what the last one found. One lane at a time does this, the other goes on. */
void hp_policy_refresh(struct hp_policy *policy)
{
	int64_t now = now_ms(), passed = now - policy->refreshed_ms;
	unsigned exact = policy->count - policy->patterns, many;

	if (passed < REFRESH_STEP_MS || exact == 0 || pthread_mutex_trylock(&policy->refreshing) != 0)
		return;
	policy->refreshed_ms = now;
	many = passed >= REFRESH_MS ? exact : (unsigned)((uint64_t)exact * (uint64_t)passed / REFRESH_MS) + 1;
	while (many-- > 0) {
		uint64_t mask = learn_rule(policy, policy->patterns + policy->next);

		policy->round_mask |= mask;
		atomic_fetch_or(&policy->secret_mask, mask);
		if (++policy->next == exact) {
			policy->secret_mask = policy->round_mask;
			policy->round_mask = 0;
			policy->next = 0;
		}
	}
	pthread_mutex_unlock(&policy->refreshing);
}

bool hp_policy_is_secret(const struct hp_policy *policy, uint64_t dev, uint64_t ino)
{
	if (!((policy->secret_mask >> (ino % 64)) & 1))
		return false;
	for (unsigned i = 0; i < 2 * policy->count; i++)
		if (policy->secrets[i].ino == ino && policy->secrets[i].dev == dev)
			return true;
	return false;
}

static bool matches_pattern(const struct hp_rule *rule, const char *path, size_t length)
{
	char name[HP_NAME_MAX + 1];
	size_t name_len = length - rule->length - 1;

	if (length <= rule->length + 1 || path[rule->length] != '/' || name_len > HP_NAME_MAX ||
	    memcmp(rule->path, path, rule->length) != 0 || memchr(path + rule->length + 1, '/', name_len) != NULL)
		return false;
	memcpy(name, path + rule->length + 1, name_len);
	name[name_len] = 0;
	return fnmatch(rule->pattern, name, 0) == 0;
}

static const struct hp_rule *rule_for(const struct hp_policy *policy, const char *path, size_t length)
{
	if (!((policy->lengths >> (length % 64)) & 1))
		return NULL;
	for (unsigned i = policy->count; i > policy->patterns; i--) { /* later rules win */
		const struct hp_rule *rule = &policy->rules[i - 1];

		if (rule->length == length && memcmp(rule->path, path, length) == 0)
			return rule;
	}
	return NULL;
}

uint32_t hp_policy_child(const struct hp_policy *policy, uint32_t inherited, const char *path, size_t length)
{
	const struct hp_rule *rule = rule_for(policy, path, length);

	if (rule != NULL)
		return rule->share;
	for (unsigned i = 0; i < policy->patterns; i++)
		if (matches_pattern(&policy->rules[i], path, length))
			return HP_SHARE_HIDE;
	return inherited;
}

bool hp_policy_is_rule(const struct hp_policy *policy, const char *path, size_t length)
{
	return rule_for(policy, path, length) != NULL;
}

static bool is_below(const struct hp_rule *rule, const char *path, size_t length)
{
	if (memcmp(rule->path, path, rule->length < length ? rule->length : length) != 0)
		return false;
	return (rule->length > length && rule->path[length] == '/') ||
	       (rule->length == length && rule->pattern != NULL);
}

bool hp_policy_has_below(const struct hp_policy *policy, const char *path, size_t length)
{
	for (unsigned i = 0; i < policy->count; i++)
		if (policy->rules[i].length >= length && is_below(&policy->rules[i], path, length))
			return true;
	return false;
}

bool hp_policy_guards_below(const struct hp_policy *policy, const char *path, size_t length)
{
	for (unsigned i = 0; i < policy->count; i++)
		if (policy->rules[i].share != HP_SHARE_RW && policy->rules[i].length >= length &&
		    is_below(&policy->rules[i], path, length))
			return true;
	return false;
}

bool hp_policy_shares_below(const struct hp_policy *policy, const char *path, size_t length)
{
	for (unsigned i = 0; i < policy->count; i++)
		if (policy->rules[i].share != HP_SHARE_HIDE && policy->rules[i].length >= length &&
		    is_below(&policy->rules[i], path, length))
			return true;
	return false;
}
