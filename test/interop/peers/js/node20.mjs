// js-libp2p 3 wants Node 22's Promise.withResolvers; all else it needs is in Node 20.
Promise.withResolvers ??= function () {
	const made = {}
	made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }))
	return made
}
