import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Against, findAgainst } from '../bench/against.js'
import { caseNames } from '../bench/cases.js'
import { type Documents, inventDocuments, readDocuments, renumbered } from '../bench/documents.js'
import { type BenchOptions, CaseError, LATENCY, peerNames, runBench } from '../bench/run.js'
import { usableCores } from '../cpuQuota.js'
import { benchDevice, deviceBenchUsage } from './benchDevice.js'
import { report } from './benchReport.js'
import { writeJson } from './jsonFile.js'
import { Failure, integerOption, noPositionals, parse, UsageError } from './options.js'

const BATCH = 256
const ROUNDS = 5
const QUICK = { batch: 16, rounds: 2 }

export const usage = `packed-rnn bench [OPTION …]

Times forward passes and training steps of a batch of articles on the CPU, beside the peers that are installed, one after the
other in each round. A step's loss reads the mean of all states, or the last states alone (stepLast). Everybody's results are
checked before they are timed. The table shows how many multiplications each side does, because a ratio is not speed alone.

  --cases LIST     some of ${caseNames.join(',')}, ${LATENCY}; default all but ${LATENCY}, which is one LSTM layer that reads a
                   token at a time, streamed and awaited, and then a few ops at a time
  --peers LIST     some of ${peerNames.join(',')}, or none; default all. onnxruntime-node is found in node_modules, or in the
                   folder that NODE_PATH names; PYTHON names the Python that has PyTorch
  --against DIR    another checkout of packed-rnn, built, that takes its turns in the same rounds
  --articles FILE  articles in 10kGNAD's format; default gnad/articles.csv in PACKED_RNN_DATA, or invented words
  --batch N        articles; default ${BATCH}
  --threads N      default all cores, in a container no more than its CPU quota
  --rounds N       default ${ROUNDS}
  --quick          a batch of ${QUICK.batch}, ${QUICK.rounds} rounds, and whoever is slow has one: a minute where nothing else runs
  --json FILE      where to write the figures

${deviceBenchUsage}`

export async function execute(args: string[], signal: AbortSignal): Promise<void> {
  if (args.some(arg => /^--device(=|$)/.test(arg))) return benchDevice(args, signal)
  const { values, positionals } = parse(args, {
    cases: { type: 'string' },
    peers: { type: 'string' },
    against: { type: 'string' },
    articles: { type: 'string' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  })
  noPositionals(positionals)
  const quick = values.quick === true
  const wanted =
    values.cases === undefined
      ? [...caseNames]
      : listOption('cases', values.cases, [...caseNames, LATENCY] as const)
  const options: BenchOptions = {
    cases: caseNames.filter(name => wanted.includes(name)),
    latency: wanted.includes(LATENCY),
    peers: values.peers === 'none' ? [] : listOption('peers', values.peers, peerNames),
    against: againstOption(values.against),
    threads: integerOption('threads', values.threads, Math.min(usableCores(), 256), 1),
    rounds: integerOption('rounds', values.rounds, quick ? QUICK.rounds : ROUNDS, 1),
    data: await documents(
      values.articles,
      integerOption('batch', values.batch, quick ? QUICK.batch : BATCH, 1),
      signal,
    ),
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

/** Some of the names, in the order of `all`. */
function listOption<T extends string>(name: string, text: string | undefined, all: readonly T[]): T[] {
  if (text === undefined) return [...all]
  const wanted = text.split(',')
  const unknown = wanted.find(word => !all.some(known => known === word))
  if (unknown !== undefined) {
    throw new UsageError(`--${name}: wanted some of ${all.join(', ')}, got ${unknown}`)
  }
  return all.filter(known => wanted.includes(known))
}

async function documents(given: string | undefined, count: number, signal: AbortSignal): Promise<Documents> {
  const folder =
    process.env.PACKED_RNN_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
  const usual = join(folder, 'gnad', 'articles.csv')
  const file = given ?? (existsSync(usual) ? usual : undefined)
  return file === undefined ? renumbered(inventDocuments(count)) : readDocuments(file, count, signal)
}
