#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/wipe.h"
#include "cred/kernring.h"

/* of linux/keyctl.h, which musl's compiler does not see */
#define KEY_SPEC_SESSION_KEYRING (-3)
#define KEYCTL_GET_KEYRING_ID 0
#define KEYCTL_REVOKE 3
#define KEYCTL_SEARCH 10
#define KEYCTL_READ 11
#define KEYCTL_SET_TIMEOUT 15
#define KEYCTL_INVALIDATE 21

#define PAYLOAD_MAX 256

static long find(const char *name)
{
	return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0);
}

bool kernring_put(const char *name, const void *p, size_t n, unsigned seconds)
{
	/* By its number: for the name of it, where there is no session's keyring but the user's, the kernel
	 * would make a new one that ends with this process. */
	long ring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	long key = ring > 0 ? syscall(SYS_add_key, "user", name, p, n, ring) : -1;

	if (key < 0)
		return false;
	if (syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, seconds) == 0)
		return true;
	/* one that never ends is not wanted */
	syscall(SYS_keyctl, KEYCTL_REVOKE, key);
	return false;
}

bool kernring_get(const char *name, void *out, size_t n)
{
	uint8_t room[PAYLOAD_MAX];
	long key = find(name), got;
	bool ok;

	if (key < 0 || n > sizeof(room))
		return false;
	got = syscall(SYS_keyctl, KEYCTL_READ, key, room, sizeof(room));
	ok = got == (long)n;
	if (ok)
		memcpy(out, room, n);
	wipe(room, sizeof(room));
	return ok;
}

void kernring_drop(const char *name)
{
	long key = find(name);

	if (key >= 0)
		syscall(SYS_keyctl, KEYCTL_INVALIDATE, key);
}
