import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { instructionSets } from '../../device.js'
import { cases } from '../cases.js'
import { checkLosses, toleranceOf } from '../close.js'
import { type Missing, nameIn, type Ours, type Peer, type Setting, type Turn } from '../context.js'
import { multiplicationsByPass } from '../multiplications.js'
import { type Pass, passes, poolingOf } from '../passes.js'
import { BenchProcess } from '../process.js'

export const PYTHON = process.env.PYTHON ?? '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('../../../bench/peers/torch_step.py', import.meta.url))

export function findTorch(): Peer | Missing {
  const { status, stdout } = spawnSync(PYTHON, ['-c', 'import numpy, torch; print(torch.__version__)'], {
    encoding: 'utf8',
  })
  if (status !== 0)
    return { missing: `no PyTorch for ${PYTHON}: apt-get install python3-torch libopenblas0-openmp` }
  return { version: `PyTorch ${stdout.trim()}`, join: (setting, ours) => join('float32', setting, ours) }
}

/** The same with recurrent layers in bfloat16. */
export function torchInBfloat16({ version }: Peer): Peer {
  return { version, join: (setting, ours) => join('bfloat16', setting, ours) }
}

/** The fastest set-up found; bench/peers/torch_step.py has the reasons. */
export function environment(threads: number): NodeJS.ProcessEnv {
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

async function join(precision: 'float32' | 'bfloat16', setting: Setting, ours: Ours) {
  const { name, threads, tokens, few, checkedSteps } = setting
  const { bidirectional } = cases[name]
  const paths = bidirectional ? ['packed', 'padded'] : ['packed', 'padded', 'segmented']
  const config = JSON.stringify({ ...setting, precision, spec: cases[name] })
  const child = new BenchProcess('PyTorch', PYTHON, [SCRIPT, config], environment(threads))
  const rows = new Map<string, { forward: number; step: number }>()
  try {
    await child.answer()
    for (const pass of ['step', 'stepLast'] as const) {
      const wanted = await ours.losses(pass, few.documents, checkedSteps)
      for (const path of bidirectional ? ['packed'] : paths) {
        const found = (await child.ask(`losses ${path} ${poolingOf[pass]} ${checkedSteps}`)).numbers('losses')
        checkLosses(found, wanted, toleranceOf(precision), 'packed-rnn')
      }
    }
    for (const path of paths) {
      const answer = await child.ask(`rows ${path}`)
      rows.set(path, { forward: answer.number('forward'), step: answer.number('step') })
    }
  } catch (error) {
    await child.close()
    throw error
  }
  const named = (who: string) => nameIn(precision, who)
  const turn = (who: string, path: string, pass: Pass): Turn => {
    const question =
      pass === 'forward' ? `forward ${path} ${poolingOf.stepLast}` : `step ${path} ${poolingOf[pass]}`
    const padded = rows.get(path)?.[pass === 'forward' ? pass : 'step'] ?? 0
    const work = { rows: padded, inputRows: padded, inputGradient: cases[name].tuneEmbedding }
    const multiplications = multiplicationsByPass(cases[name], work)[pass]
    return { who, pass, tokens, multiplications, question }
  }
  const all = (who: string, path: string): Turn[] => passes.map(pass => turn(who, path, pass))
  const padded = named('PyTorch padded, sorted, four pieces')
  const packed = named('PyTorch packed')
  return {
    process: child,
    precision,
    turns: [
      ...all(packed, 'packed').map(one => (one.pass === 'forward' ? one : { ...one, tokens: few.tokens })),
      ...all(padded, 'padded'),
      ...(paths.includes('segmented') ? all(named('PyTorch segmented'), 'segmented') : []),
    ],
    notes: {
      [packed]: `its steps use the first ${few.documents} articles, because the time of its backward pass is quadratic`,
      ...(bidirectional && { [padded]: 'its second direction begins in the padding, so its results differ' }),
    },
  }
}
