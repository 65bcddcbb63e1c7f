// /ghoard-test/echo/1.0.0, both sides.

import { createHash } from 'node:crypto'

const ECHO = '/ghoard-test/echo/1.0.0'
const NONE = '/ghoard-test/none/1.0.0'
const PERIOD = 65521
const MAX_BODY = 64 << 20
const ONE_ASK = 60_000
const HALF_DONE = 64 << 10

const pattern = Uint8Array.from({ length: PERIOD }, (_, i) => 7 * i + (i >> 8))

function * body (n) {
	for (let at = 0; at < n; at += PERIOD) yield pattern.subarray(0, Math.min(PERIOD, n - at))
}

function uvarint (n) {
	const out = []
	for (; n >= 0x80; n = Math.floor(n / 128)) out.push(n % 128 | 0x80)
	return Uint8Array.from([...out, n])
}

const head = (mode, n) => Uint8Array.from([mode.charCodeAt(0), ...uvarint(n)])

// send, and wait while the other side does not read
async function write (stream, bytes) {
	if (!stream.send(bytes)) await stream.onDrain({ signal: AbortSignal.timeout(ONE_ASK) })
}

async function writeBody (stream, n) {
	for (const part of body(n)) await write(stream, part)
}

// Reads a stream by the byte and by the piece. Not by the library's iterator, which waits for ever if the other
// side's end came with the request, before anybody iterated.
class Reader {
	constructor (stream) {
		this.stream = stream
		this.pieces = []
		this.rest = new Uint8Array(0)
		this.arrived = () => {}
		const wake = () => this.arrived()
		stream.addEventListener('message', ({ data }) => { this.pieces.push(data.subarray()); wake() })
		stream.addEventListener('end', () => { this.ended = true; wake() })
		stream.addEventListener('close', ({ error }) => { this.ended = true; this.error = error; wake() })
		this.ended = stream.readableEnded
	}

	// the next piece, at most n bytes of it; undefined at the end
	async piece (n = Infinity) {
		while (this.rest.length === 0) {
			if (this.pieces.length > 0) this.rest = this.pieces.shift()
			else if (this.error != null) throw this.error
			// what was read ahead is put back after the end was told
			else if (this.ended && this.stream.readBufferLength === 0) return undefined
			else await new Promise(resolve => { this.arrived = resolve })
		}
		const part = this.rest.subarray(0, Math.min(n, this.rest.length))
		this.rest = this.rest.subarray(part.length)
		return part
	}

	async byte () {
		const part = await this.piece(1)
		if (part == null) throw new Error('the end where a byte was awaited')
		return part[0]
	}

	async uvarint () {
		let n = 0
		for (let scale = 1; scale < 2 ** 49; scale *= 128) {
			const byte = await this.byte()
			n += (byte & 0x7f) * scale
			if (byte < 0x80) return n
		}
		throw new Error('a length of more than 7 bytes')
	}

	// exactly n bytes of the pattern and then the end
	async body (n) {
		let at = 0
		for (let got; (got = await this.piece(PERIOD - at % PERIOD)) != null; at += got.length) {
			const expected = pattern.subarray(at % PERIOD, at % PERIOD + Math.min(got.length, n - at))
			if (Buffer.compare(got, expected) !== 0) {
				throw new Error(`another byte than sent, or too many, after ${at} of ${n}`)
			}
		}
		if (at !== n) throw new Error(`the end after ${at} of ${n} bytes`)
	}
}

// ---- server ----

const answers = {
	async e (stream, reader, n) {
		await write(stream, uvarint(n))
		for (let at = 0; at < n;) {
			const got = await reader.piece(n - at)
			if (got == null) throw new Error(`the end after ${at} of ${n} bytes`)
			at += got.length
			await write(stream, got)
		}
	},
	async d (stream, reader, n) {
		await write(stream, uvarint(n))
		await writeBody(stream, n)
	},
	async u (stream, reader, n) {
		const sum = createHash('sha256')
		let at = 0
		for (let got; (got = await reader.piece()) != null; at += got.length) sum.update(got)
		if (at !== n) throw new Error(`the end after ${at} of ${n} bytes`)
		await write(stream, Uint8Array.from([...uvarint(n), ...sum.digest()]))
	}
}

async function answer (stream) {
	stream.inactivityTimeout = ONE_ASK
	const reader = new Reader(stream)
	const mode = String.fromCharCode(await reader.byte())
	const n = await reader.uvarint()
	if (n > MAX_BODY) throw new Error('above the limit')
	if (mode === 'r') {
		await write(stream, uvarint(n))
		await writeBody(stream, n)
		stream.abort(new Error('reset as asked'))
		return mode
	}
	if (!Object.hasOwn(answers, mode)) throw new Error('no such mode')
	await answers[mode](stream, reader, n)
	await stream.close({ signal: AbortSignal.timeout(ONE_ASK) })
	return mode
}

export async function serve (node, commands) {
	const served = {}
	let cut = 0
	commands.stats = () => ({ served, cut })
	await node.handle(ECHO, async stream => {
		try {
			const mode = await answer(stream)
			served[mode] = (served[mode] ?? 0) + 1
		} catch (why) {
			cut++
			stream.abort(why)
		}
	}, { maxInboundStreams: 256 })
}

// ---- client ----

async function send (stream, mode, n) {
	await write(stream, head(mode, n))
	await writeBody(stream, n)
	await stream.close({ signal: AbortSignal.timeout(ONE_ASK) })
}

async function receive (stream, mode, n) {
	const reader = new Reader(stream)
	const announced = await reader.uvarint()
	if (announced !== n) throw new Error(`the answer announces ${announced} bytes, not ${n}`)
	if (mode !== 'u') return reader.body(n)
	const sum = createHash('sha256')
	for (const part of body(n)) sum.update(part)
	const got = []
	for (let part; (part = await reader.piece()) != null;) got.push(part)
	if (!Buffer.concat(got).equals(sum.digest())) throw new Error('another SHA-256 than of what was sent')
}

const open = connection => connection.newStream(ECHO, {
	maxOutboundStreams: 256,
	signal: AbortSignal.timeout(ONE_ASK)
})

async function one (connection, mode, n) {
	const stream = await open(connection)
	try {
		if (mode === 'd') {
			await write(stream, head(mode, n))
			await receive(stream, mode, n)
			await stream.close()
		} else {
			await Promise.all([send(stream, mode, n), receive(stream, mode, n)])
		}
	} catch (why) {
		stream.abort(why)
		throw why
	}
}

async function reset (connection, side) {
	const stream = await open(connection)
	let saw = 'reset'
	if (side === 'client') {
		await write(stream, head('e', 1 << 20))
		await writeBody(stream, HALF_DONE)
		const reader = new Reader(stream)
		for (let at = 0; at < 1024;) at += (await reader.piece()).length
		stream.abort(new Error('reset as asked'))
	} else {
		await write(stream, head('r', HALF_DONE))
		const reader = new Reader(stream)
		try {
			while (await reader.piece() != null);
			throw new Error('no reset was seen')
		} catch (why) {
			if (why.name !== 'StreamResetError') throw why
			saw = 'reset'
		}
	}
	await one(connection, 'e', 1000)
	return { saw }
}

export function commands (find) {
	const measured = mode => async ({ peer, bytes = 0, times = 1 }) => {
		const connection = find(peer)
		const took = []
		const begin = performance.now()
		while (took.length < times) {
			const start = performance.now()
			await one(connection, mode, bytes)
			took.push(Math.round((performance.now() - start) * 1000))
		}
		return { us: took, mbps: bytes * times / (1000 * (performance.now() - begin)) }
	}
	return {
		echo: measured('e'),
		download: measured('d'),
		upload: measured('u'),
		async half ({ peer, bytes = 0 }) {
			const connection = find(peer)
			const begin = performance.now()
			await one(connection, 'u', bytes)
			const stream = await open(connection)
			await write(stream, head('d', bytes))
			await stream.close()
			await receive(stream, 'd', bytes)
			return { us: [Math.round((performance.now() - begin) * 1000)] }
		},
		async streams ({ peer, n = 1, at_once: atOnce = 1, bytes = 100 }) {
			const connection = find(peer)
			const begin = performance.now()
			let todo = n
			const work = async () => { while (todo-- > 0) await one(connection, 'e', bytes) }
			await Promise.all(Array.from({ length: atOnce }, work))
			return { done: n, ms: performance.now() - begin }
		},
		reset: ({ peer, side }) => reset(find(peer), side),
		async none ({ peer }) {
			const connection = find(peer)
			let saw
			try {
				(await connection.newStream(NONE)).abort(new Error('unwanted'))
			} catch (why) {
				saw = why.name
			}
			if (saw !== 'UnsupportedProtocolError') throw new Error(`not refused, but ${saw}`)
			await one(connection, 'e', 1000)
			return { saw }
		}
	}
}
