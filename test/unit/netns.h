/*
 * A network namespace of the test's own, with loopback and nothing else: addresses can be added, and nothing
 * leaves the machine.
 */
#ifndef UNIT_NETNS_H
#define UNIT_NETNS_H

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* false: not allowed here, all stays as it is. */
static inline bool netns_enter(void)
{
	struct ifreq lo = { .ifr_name = "lo" };
	bool done = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (done && ioctl(fd, SIOCGIFFLAGS, &lo) == 0) {
		lo.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &lo);
	}
	close(fd);
	return done;
}

/* One more IPv4 address of loopback. */
static inline bool netns_add(const char *address)
{
	struct ifreq more = { .ifr_name = "lo:1" };
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool done;

	inet_pton(AF_INET, address, &at.sin_addr);
	memcpy(&more.ifr_addr, &at, sizeof(at));
	done = ioctl(fd, SIOCSIFADDR, &more) == 0;
	close(fd);
	return done;
}

#endif
