import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { instructionSets } from '../../device.js'
import { cases } from '../cases.js'
import { checkLosses, toleranceOf } from '../close.js'
import type { Missing, Peer, Setting, Turn } from '../context.js'
import { BenchProcess } from '../process.js'

const PYTHON = process.env.PYTHON ?? '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('../../../bench/peers/torch_step.py', import.meta.url))

export function findTorch(): Peer | Missing {
  const { status, stdout } = spawnSync(PYTHON, ['-c', 'import numpy, torch; print(torch.__version__)'], {
    encoding: 'utf8',
  })
  if (status !== 0)
    return { missing: `no PyTorch for ${PYTHON}: apt-get install python3-torch libopenblas0-openmp` }
  return { version: `PyTorch ${stdout.trim()}`, join }
}

/** The fastest set-up that we found; bench/peers/torch_step.py says why. */
function environment(threads: number): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, ...rest } = process.env
  return {
    ...rest,
    MALLOC_MMAP_MAX_: '0',
    MALLOC_TRIM_THRESHOLD_: '20000000000',
    MALLOC_TOP_PAD_: '268435456',
    ...(instructionSets().includes('avx512') && { ATEN_CPU_CAPABILITY: 'avx512' }),
    OMP_NUM_THREADS: String(threads),
    OMP_PROC_BIND: 'true',
    PYTHONDONTWRITEBYTECODE: '1',
  }
}

async function join(setting: Setting, ours: Parameters<Peer['join']>[1]) {
  const { name, threads, tokens, few, checkedSteps } = setting
  const { bidirectional } = cases[name]
  const config = JSON.stringify({ ...setting, spec: cases[name] })
  const child = new BenchProcess('PyTorch', PYTHON, [SCRIPT, config], environment(threads))
  try {
    await child.answer()
    const found = (await child.ask(`losses ${checkedSteps}`)).numbers('losses')
    checkLosses(found, await ours.losses(few.documents, checkedSteps), toleranceOf('float32'), 'packed-rnn')
  } catch (error) {
    await child.close()
    throw error
  }
  const both = (who: string, path: string): Turn[] => [
    { who, pass: 'forward', tokens, question: `forward ${path}` },
    { who, pass: 'step', tokens, question: `step ${path}` },
  ]
  const padded = 'PyTorch padded, sorted, four pieces'
  const packed = 'PyTorch packed'
  return {
    process: child,
    turns: [
      { who: packed, pass: 'forward', tokens, question: 'forward packed' },
      { who: packed, pass: 'step', tokens: few.tokens, question: 'step packed' },
      ...both(padded, 'padded'),
      ...(bidirectional ? [] : both('PyTorch segmented', 'segmented')),
    ] satisfies Turn[],
    notes: {
      [packed]: `its step is of the first ${few.documents} articles: longer ones make it quadratic`,
      ...(bidirectional && { [padded]: 'its second direction begins in the padding: another result' }),
    },
  }
}
