import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ceilings, cpuPrecisions, device as openDevice } from '../device.js'
import type { Ceilings } from '../native.js'
import { packageVersion } from '../version.js'
import { type Against, againstResults } from './against.js'
import { about, type CaseName, cases, flopsOf } from './cases.js'
import { type Missing, nameIn, type Participant, type Peer, type Setting } from './context.js'
import { type Documents, writeDocuments } from './documents.js'
import { interleave } from './interleave.js'
import { measureOps } from './latency/ops/run.js'
import { ourOps, torchOps } from './latency/ops/sides.js'
import { measureLatency, present } from './latency/run.js'
import { onnxRuntimeSide, ourSide, torchSide } from './latency/sides.js'
import { OWN_LIBRARY } from './library.js'
import { type LoadResults, measureLoad } from './load.js'
import { machineFacts } from './machine.js'
import { answersOf, countWalked, memoryOf, OURS, ourPart, startOurs } from './ourSide.js'
import { findOneDnn, oneDnnInBfloat16 } from './peers/onednn.js'
import { findOnnxRuntime } from './peers/onnxruntime.js'
import { findTorch, torchInBfloat16 } from './peers/torch.js'
import { type BenchProcess, ProcessFailure } from './process.js'
import type { Results } from './results.js'
import { type CaseResult, compareRows, multiplicationsBeside, ratiosOf, rowsOf } from './rows.js'
import type { Pairs } from './translation/pairs.js'
import { benchTranslation } from './translation/start.js'
import { othersBetween, usage } from './usage.js'

export const peerNames = ['torch', 'onednn', 'onnxruntime'] as const
export type PeerName = (typeof peerNames)[number]

/** Its name in the list of cases. */
export const LATENCY = 'latency'
/** The same of training steps of a translation model. */
export const TRANSLATION = 'translation'
/** The same of the import of the package. */
export const LOAD = 'load'

const CHECKED_STEPS = 3
/** Fresh processes in the case `load`. */
const LOADS_A_ROUND = 3
const COUNTED_ALIKE = 'multiplications are counted as if it skipped what this checkout skips'
/** Documents of a packed PyTorch step, and seconds per participant and case; then those of a quick run. */
const USUAL = { few: 8, patience: 60 }
const QUICK = { few: 2, patience: 1 }

export interface BenchOptions {
  data: Documents
  cases: readonly CaseName[]
  /** Whether to time also one token at a time and a few ops at a time. */
  latency: boolean
  /** Whether to time also the import of the package. */
  load: boolean
  /** Sentence pairs for training steps of a translation model; null if they are not timed. */
  translation: Pairs | null
  peers: readonly PeerName[]
  /** Another checkout to compare with. */
  against: Against | null
  threads: number
  rounds: number
  /** Slow participants have fewer turns. */
  quick: boolean
  signal?: AbortSignal
  log(line: string): void
}

/** A case failed or has a wrong result. */
export class CaseError extends Error {
  constructor(name: CaseName | typeof LATENCY | typeof LOAD | typeof TRANSLATION, cause: unknown) {
    super(`case ${name}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

type Peers = Record<string, Peer | Missing>

/**
 * Checks and times the cases, one after the other. In a case all participants take turns, each in its own process.
 *
 * @throws CaseError (rejects) if a case fails or a result is wrong
 */
export async function runBench(options: BenchOptions): Promise<Results> {
  const { data, threads, rounds, log, signal } = options
  const started = new Date()
  const device = openDevice('cpu', { threads })
  const machine = machineFacts(device)
  const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-bench-'))
  try {
    await writeDocuments(folder, data)
    const peers = await findPeers(options.peers, folder)
    for (const [name, peer] of Object.entries(peers)) {
      log('missing' in peer ? `${name} is missing: ${peer.missing}` : `${name}: ${peer.version}`)
    }
    const probes: Ceilings[] = []
    const found: Partial<Record<CaseName, CaseResult>> = {}
    // The first probe allocates its memory and takes longer.
    await ceilings(device)
    for (const name of options.cases) {
      signal?.throwIfAborted()
      try {
        const ofCase: Ceilings[] = []
        const probe = async () => {
          ofCase.push(await ceilings(device))
        }
        const setting = settingOf(name, folder, options)
        found[name] = await measureCase(setting, peers, { probe, probes: ofCase, options })
        probes.push(...ofCase)
      } catch (error) {
        signal?.throwIfAborted()
        throw new CaseError(name, error)
      }
    }
    const latency = options.latency ? await latencyOf(options) : null
    const ops = options.latency ? await opsOf(options) : null
    const load = options.load ? await loadOf(options) : null
    const translation = await translationOf(options, folder)
    if (probes.length === 0) probes.push(await ceilings(device))
    const { documents, tokens, words, about } = data
    const longest = Math.max(...documents.map(({ length }) => length))
    return {
      format: 'packed-rnn bench 1',
      started: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
      ...{ version: packageVersion(), machine },
      batch: { articles: documents.length, tokens, words, longest, about },
      ...{ threads, rounds },
      ceilings: { ...highest(probes), probes: probes.length },
      peers: Object.fromEntries(
        Object.entries(peers).map(([name, peer]) => [
          name,
          'missing' in peer ? { missing: peer.missing } : { version: peer.version },
        ]),
      ),
      cases: found,
      ratios: ratiosOf(found),
      multiplications: multiplicationsBeside(found),
      against:
        options.against &&
        againstResults(options.against, found, {
          latency: latency?.cells ?? null,
          ops: ops?.rows ?? null,
          translation: translation?.sets ?? null,
        }),
      ...{ latency: latency?.cells ?? null, latencyFacts: latency?.facts ?? null },
      ...{ latencyOps: ops?.rows ?? null, latencyOpsFacts: ops?.facts ?? null },
      load,
      translation,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @throws CaseError (rejects) if a result is wrong */
async function latencyOf({ threads, peers, against, rounds, quick, signal, log }: BenchOptions) {
  log(LATENCY)
  const found = [ourSide(OURS, OWN_LIBRARY, threads)]
  if (against !== null) found.push(ourSide(against.who, against.library, threads))
  try {
    if (peers.includes('torch')) found.push(...present([torchSide(threads)]))
    if (peers.includes('onnxruntime')) found.push(...present([await onnxRuntimeSide(threads)]))
    const { cells, ...facts } = await measureLatency(found, { rounds, quick, signal, log })
    return { cells, facts }
  } catch (error) {
    signal?.throwIfAborted()
    throw new CaseError(LATENCY, error)
  }
}

/** @throws CaseError (rejects) if results differ */
async function opsOf({ threads, peers, against, rounds, quick, signal, log }: BenchOptions) {
  log(`${LATENCY}, ops`)
  const found = [ourOps(OURS, OWN_LIBRARY, threads)]
  if (against !== null) found.push(ourOps(against.who, against.library, threads))
  if (peers.includes('torch')) found.push(...present([torchOps(threads)]))
  try {
    const { rows, ...facts } = await measureOps(found, { rounds, quick, signal, log })
    return { rows, facts }
  } catch (error) {
    signal?.throwIfAborted()
    throw new CaseError(LATENCY, error)
  }
}

/** @throws CaseError (rejects) if results differ */
async function translationOf(options: BenchOptions, folder: string) {
  const { translation, signal, log } = options
  if (translation === null) return null
  log(TRANSLATION)
  try {
    return await benchTranslation(translation, { ...options, torch: options.peers.includes('torch'), folder })
  } catch (error) {
    signal?.throwIfAborted()
    throw new CaseError(TRANSLATION, error)
  }
}

/** @throws CaseError (rejects) if a process fails */
async function loadOf({ against, rounds, signal, log }: BenchOptions): Promise<LoadResults> {
  log(LOAD)
  try {
    return await measureLoad({ against, processes: LOADS_A_ROUND * rounds, signal })
  } catch (error) {
    signal?.throwIfAborted()
    throw new CaseError(LOAD, error)
  }
}

async function findPeers(names: readonly PeerName[], folder: string): Promise<Peers> {
  const find = { torch: findTorch, onednn: () => findOneDnn(folder), onnxruntime: findOnnxRuntime }
  const found: Peers = {}
  for (const name of names) found[name] = await find[name]()
  if (!cpuPrecisions().includes('bfloat16')) return found
  const { torch, onednn } = found
  if (torch !== undefined && !('missing' in torch)) found['torch, bfloat16'] = torchInBfloat16(torch)
  if (onednn !== undefined && !('missing' in onednn)) {
    found['onednn, bfloat16'] = oneDnnInBfloat16(onednn, folder)
  }
  return found
}

function settingOf(name: CaseName, folder: string, { data, threads, quick }: BenchOptions): Setting {
  const few = data.documents.slice(0, (quick ? QUICK : USUAL).few)
  return {
    ...{ name, threads, folder, words: data.words, classes: data.classes, checkedSteps: CHECKED_STEPS },
    ...{ precision: 'float32', library: OWN_LIBRARY },
    parameters: join(folder, `${name}.safetensors`),
    ...{ documents: data.documents.length, tokens: data.tokens },
    few: { documents: few.length, tokens: few.reduce((sum, { length }) => sum + length, 0) },
  }
}

/** The maxima of all probes, because other work on the machine only lowers a probe. */
function highest(probes: readonly Ceilings[]): Ceilings {
  const of = (key: keyof Ceilings) => Math.max(...probes.map(probe => probe[key]))
  return { flopsOfOne: of('flopsOfOne'), flopsOfAll: of('flopsOfAll'), bandwidth: of('bandwidth') }
}

interface Measuring {
  /** Adds a probe. */
  probe(): Promise<void>
  probes: readonly Ceilings[]
  options: BenchOptions
}

async function measureCase(
  setting: Setting,
  peers: Peers,
  { probe, probes, options }: Measuring,
): Promise<CaseResult> {
  const { rounds, quick, signal, log } = options
  const spec = cases[setting.name]
  log(`${setting.name}: ${about(spec)}`)
  const memory = await memoryOf(setting)
  const own = startOurs(setting)
  const all = [ourPart(OURS, own, setting)]
  try {
    await own.answer()
    await own.ask(`parameters ${setting.parameters}`)
    const largestError = (await own.ask('check')).number('largestError')
    log(`  error against the float64 reference: ${largestError.toExponential(1)}`)
    if (cpuPrecisions().includes('bfloat16')) {
      const inBfloat16 = { ...setting, precision: 'bfloat16' } as const
      const rounded = startOurs(inBfloat16)
      all.push(ourPart(nameIn('bfloat16', OURS), rounded, inBfloat16))
      await rounded.answer()
      const error = (await rounded.ask('check')).number('largestError')
      log(`  error in bfloat16: ${error.toExponential(1)}`)
    }
    if (options.against !== null) {
      const { who, library } = options.against
      const other = startOurs({ ...setting, library }, who)
      all.push({ ...ourPart(who, other, setting), notes: { [who]: COUNTED_ALIKE } })
      await other.answer()
      const error = (await other.ask('check')).number('largestError')
      log(`  error of ${who}: ${error.toExponential(1)}`)
    }
    const { joined, failed } = await joinPeers(setting, peers, own, options)
    all.push(...joined)
    const { patience } = quick ? QUICK : USUAL
    const before = usage(all)
    const samples = await interleave(all, { rounds, patience, probe, signal })
    const othersCores = othersBetween(before, usage(all))
    const walked = await countWalked(setting, own)
    for (const turn of all.flatMap(one => (one.ours ? one.turns : []))) {
      if (turn.pass === 'stepLast') turn.multiplications = walked
    }
    const flops = flopsOf(spec)
    const found = highest(probes)
    const rows = all.flatMap(one => {
      const peakBytes = one.alone ? one.process.peakBytes : null
      return rowsOf(one, samples, flops, found).map(row => ({ ...row, peakBytes }))
    })
    Object.assign(rows[0]!, memory)
    const facts = { about: about(spec), flops, largestError, ceilings: found, othersCores }
    return { ...facts, rows: compareRows(rows), failed }
  } finally {
    for (const { process } of all) await process.close()
  }
}

/** The installed peers that support the case. Their results have been compared with ours. */
async function joinPeers(
  setting: Setting,
  peers: Peers,
  own: BenchProcess,
  { signal, log }: BenchOptions,
): Promise<{ joined: Participant[]; failed: Record<string, string> }> {
  const ours = answersOf(own, setting)
  const joined: Participant[] = []
  const failed: Record<string, string> = {}
  for (const [name, peer] of Object.entries(peers)) {
    if ('missing' in peer) continue
    try {
      signal?.throwIfAborted()
      const one = await peer.join(setting, ours)
      if (one !== null) joined.push(one)
    } catch (error) {
      // Peers that do not run are skipped. A wrong result of a peer is an error.
      if (!(error instanceof ProcessFailure) || error.process === own) {
        for (const { process } of joined) await process.close()
        throw new Error(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error })
      }
      failed[name] = error.message
      log(`  ${name} is skipped: ${error.message}`)
    }
  }
  return { joined, failed }
}
