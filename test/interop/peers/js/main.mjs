// A js-libp2p node for the interop tests; ../README.md says how it is driven.

import './node20.mjs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { generateKeyPairFromSeed, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { commands as echoCommands, serve } from './echo.mjs'

const PATIENCE = 20_000
const options = { seed: { type: 'string' }, listen: { type: 'string', default: '/ip4/127.0.0.1/tcp/0' } }
const { values } = parseArgs({ options })
const print = line => process.stdout.write(JSON.stringify(line) + '\n')
const hex = bytes => Buffer.from(bytes).toString('hex')

if (!/^[0-9a-f]{64}$/.test(values.seed ?? '')) throw new Error('--seed wants 64 hex digits')
const node = await createLibp2p({
	privateKey: await generateKeyPairFromSeed('Ed25519', Buffer.from(values.seed, 'hex')),
	addresses: { listen: [values.listen] },
	transports: [tcp()],
	connectionEncrypters: [noise()],
	streamMuxers: [yamux()],
	// all of a test's peers have one address
	connectionManager: { inboundConnectionThreshold: 1000, maxIncomingPendingConnections: 100 },
	nodeInfo: { name: 'js-libp2p', version: 'interop', userAgent: 'js-libp2p/interop' },
	// a ping is over for its caller before its stream has ended on both sides
	services: { identify: identify(), ping: ping({ maxOutboundStreams: 32 }) }
})

// What identify told of a peer, and who waits for it.
const identified = new Map()
const arrived = new EventTarget()
node.addEventListener('peer:identify', ({ detail }) => {
	identified.set(detail.peerId.toString(), {
		agent: detail.agentVersion,
		version: detail.protocolVersion,
		protocols: detail.protocols,
		addrs: detail.listenAddrs.map(String),
		observed: detail.observedAddr == null ? [] : [String(detail.observedAddr)],
		key: hex(publicKeyToProtobuf(detail.peerId.publicKey))
	})
	arrived.dispatchEvent(new Event(detail.peerId.toString()))
})
node.addEventListener('peer:disconnect', ({ detail }) => identified.delete(detail.toString()))

async function identifyWait (peer) {
	if (!identified.has(peer)) {
		await new Promise((resolve, reject) => {
			const late = setTimeout(() => reject(new Error('no identify in 20 s')), PATIENCE)
			arrived.addEventListener(peer, () => { clearTimeout(late); resolve() }, { once: true })
		})
	}
	return identified.get(peer)
}

function connection (peer) {
	const found = node.getConnections().find(c => c.remotePeer.toString() === peer)
	if (found == null) throw new Error(`not connected to ${peer}`)
	return found
}

const commands = {
	async dial ({ addr }) {
		const begin = performance.now()
		const made = await node.dial(multiaddr(addr), { signal: AbortSignal.timeout(PATIENCE) })
		const connected = performance.now() - begin
		const peer = made.remotePeer.toString()
		await identifyWait(peer)
		return { peer, connect_ms: connected, identify_ms: performance.now() - begin }
	},
	identify: ({ peer }) => identifyWait(peer),
	async ping ({ peer, n = 1, every_ms: every = 0 }) {
		const to = connection(peer).remotePeer
		const took = []
		while (true) {
			const begin = performance.now()
			await node.services.ping.ping(to, { signal: AbortSignal.timeout(PATIENCE) })
			took.push(Math.round((performance.now() - begin) * 1000))
			if (took.length === n) return { rtt_us: took }
			await new Promise(resolve => setTimeout(resolve, every))
		}
	},
	close: async ({ peer }) => { await connection(peer).close() },
	peers: () => ({
		peers: node.getConnections().map(c => ({
			peer: c.remotePeer.toString(),
			dialled: c.direction === 'outbound',
			security: c.encryption,
			muxer: c.multiplexer
		}))
	}),
	...echoCommands(connection)
}

await serve(node, commands)
print({ event: 'ready', peer: node.peerId.toString(), addrs: node.getMultiaddrs().map(String) })

async function run (asked) {
	try {
		if (!Object.hasOwn(commands, asked.do)) throw new Error(`no such command: ${asked.do}`)
		print({ ...await commands[asked.do](asked), id: asked.id, ok: true })
	} catch (why) {
		console.error(why)
		print({ id: asked.id, ok: false, error: `${why.name}: ${why.message}` })
	}
}

for await (const line of createInterface({ input: process.stdin })) run(JSON.parse(line))
process.exit(0)
