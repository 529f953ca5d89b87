import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Against, findAgainst } from '../bench/against.js'
import { caseNames } from '../bench/cases.js'
import { type Documents, inventDocuments, readDocuments, renumbered } from '../bench/documents.js'
import {
  type BenchOptions,
  CaseError,
  LATENCY,
  LOAD,
  peerNames,
  runBench,
  TRANSLATION,
} from '../bench/run.js'
import { inventPairs, type Pairs, readPairs } from '../bench/translation/pairs.js'
import { usableCores } from '../cpuQuota.js'
import { benchDevice, deviceBenchUsage } from './benchDevice.js'
import { report } from './benchReport.js'
import { jsonOption, writeJson } from './jsonFile.js'
import {
  Failure,
  fileOption,
  integerOption,
  noPositionals,
  type Option,
  parse,
  switchOption,
  textOption,
  UsageError,
  usageOf,
} from './options.js'

const BATCH = 256
const ROUNDS = 5
const QUICK = { batch: 16, rounds: 2 }

const table = {
  cases: listOption(
    [...caseNames, LOAD, LATENCY, TRANSLATION],
    `some of ${caseNames.join(',')}, ${LOAD}, ${LATENCY}, ${TRANSLATION}; default all but the last two.\n` +
      `${LOAD}: the time of import 'packed-rnn' in fresh processes.\n` +
      `${LATENCY}: one LSTM layer that reads a token at a time, streamed and awaited, and then a few ops at a time.\n` +
      `${TRANSLATION}: training steps of an encoder and a decoder with attention, beside PyTorch`,
  ),
  peers: listOption(
    peerNames,
    `some of ${peerNames.join(',')}, or none; default all. onnxruntime-node is found in\n` +
      'node_modules, or in the folder that NODE_PATH names; PYTHON names the Python that has PyTorch',
    'none',
  ),
  against: textOption(
    'DIR',
    'another checkout of packed-rnn, built, that takes its turns in the same rounds',
  ),
  articles: fileOption(
    "articles in 10kGNAD's format; default gnad/articles.csv in PACKED_RNN_DATA, or invented words",
  ),
  pairs: textOption(
    'PREFIX',
    'sentence pairs: PREFIX.de.gz and PREFIX.en.gz, a sentence a line; default\n' +
      "multi30k/train.lc.norm.tok in PACKED_RNN_DATA, or invented sentences with Multi30k's lengths",
  ),
  batch: integerOption(`articles; default ${BATCH}`, 1),
  threads: integerOption('default all cores, in a container no more than its CPU quota', 1),
  rounds: integerOption(`default ${ROUNDS}`, 1),
  quick: switchOption(
    `a batch of ${QUICK.batch}, ${QUICK.rounds} rounds, one for slow peers: a minute on an idle machine`,
  ),
  json: jsonOption,
} as const

/** Some of the names, in the order of `all`; no name for the word `none`, where that is given. */
function listOption<T extends string>(all: readonly T[], help: string, none?: string): Option<T[]> {
  return {
    value: 'LIST',
    help,
    read(name, given) {
      const wanted = given === none ? [] : String(given).split(',')
      const unknown = wanted.find(word => !all.some(known => known === word))
      if (unknown !== undefined) {
        throw new UsageError(`--${name}: wanted some of ${all.join(', ')}, got ${unknown}`)
      }
      return all.filter(known => wanted.includes(known))
    },
  }
}

export const usage = `packed-rnn bench [OPTION …]

Times forward passes and training steps of a batch of articles on the CPU, next to the installed peers, one after the other in
each round. A step's loss reads the mean of all states, or the last states only (stepLast). All results are checked before they
are timed. The table shows how many multiplications each side does, because a ratio is not speed alone.

${usageOf(table)}

${deviceBenchUsage}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  if (args.some(arg => /^--device(=|$)/.test(arg))) return benchDevice(args, signal)
  const { values, positionals } = parse(args, table)
  noPositionals(positionals)
  const { quick = false, cases: wanted = [...caseNames, LOAD], peers = [...peerNames] } = values
  const { threads = Math.min(usableCores(), 256), rounds = quick ? QUICK.rounds : ROUNDS } = values
  const options: BenchOptions = {
    cases: caseNames.filter(name => wanted.includes(name)),
    latency: wanted.includes(LATENCY),
    load: wanted.includes(LOAD),
    translation: wanted.includes(TRANSLATION) ? await pairs(values.pairs) : null,
    peers,
    against: againstOption(values.against),
    threads,
    rounds,
    data: await documents(values.articles, values.batch ?? (quick ? QUICK.batch : BATCH), signal),
    quick,
    signal,
    log: line => process.stderr.write(`${line}\n`),
  }
  const results = await runBench(options).catch((error: unknown) => {
    throw error instanceof CaseError ? new Failure(error.message, { cause: error }) : error
  })
  process.stdout.write(report(results))
  if (values.json !== undefined) await writeJson(values.json, results)
}

function againstOption(given: string | undefined): Against | null {
  if (given === undefined) return null
  const found = findAgainst(given)
  if (found === null) throw new UsageError(`--against: wanted a built checkout of packed-rnn, got ${given}`)
  return found
}

async function documents(given: string | undefined, count: number, signal: AbortSignal): Promise<Documents> {
  const usual = join(dataFolder(), 'gnad', 'articles.csv')
  const file = given ?? (existsSync(usual) ? usual : undefined)
  return file === undefined ? renumbered(inventDocuments(count)) : readDocuments(file, count, signal)
}

async function pairs(given: string | undefined): Promise<Pairs> {
  const usual = join(dataFolder(), 'multi30k', 'train.lc.norm.tok')
  const prefix = given ?? (existsSync(`${usual}.de.gz`) ? usual : undefined)
  if (prefix === undefined) return inventPairs()
  return readPairs(prefix).catch((error: unknown) => {
    throw new Failure(`--pairs: ${error instanceof Error ? error.message : error}`, { cause: error })
  })
}

function dataFolder(): string {
  return process.env.PACKED_RNN_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
}
