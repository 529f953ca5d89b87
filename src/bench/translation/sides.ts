/** The participants: processes that answer the requests of ours.ts. */
import { fileURLToPath } from 'node:url'
import type { Missing } from '../context.js'
import { environment, findTorch, PYTHON } from '../peers/torch.js'
import { BenchProcess } from '../process.js'
import { marks } from './pairs.js'
import type { TranslationConfig } from './workload.js'

export interface TranslationSide {
  process: BenchProcess
  /** Its ways of computing a step, and whether they can translate, too. */
  ways: { who: string; way: string; translates: boolean }[]
  /** Whether it is this package and not a peer. */
  ours: boolean
}

export function ourTranslation(who: string, library: string, config: TranslationConfig): TranslationSide {
  const file = fileURLToPath(new URL('./ours.js', import.meta.url))
  const args = [file, JSON.stringify({ ...config, library })]
  return {
    process: new BenchProcess(who, process.execPath, args),
    ways: [{ who, way: 'packed', translates: true }],
    ours: true,
  }
}

/** PyTorch's names of the ways are explained in bench/peers/torch_seq2seq.py. */
export function torchTranslation(config: TranslationConfig): TranslationSide | Missing {
  const found = findTorch()
  if ('missing' in found) return found
  const file = fileURLToPath(new URL('../../../bench/peers/torch_seq2seq.py', import.meta.url))
  const args = [file, JSON.stringify({ ...config, marks })]
  return {
    process: new BenchProcess('PyTorch', PYTHON, args, environment(config.threads)),
    ways: [
      { who: "PyTorch, the tutorials' loop", way: 'tutorial', translates: false },
      { who: 'PyTorch, tuned', way: 'tuned', translates: true },
    ],
    ours: false,
  }
}
