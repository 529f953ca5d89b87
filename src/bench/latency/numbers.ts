/** The numbers of one LSTM layer of H inputs and H units that reads one token at a time, the same for all participants. */
import { hashed } from '../hashed.js'

/** H, and B: the number of sequences in a batch. */
export const HIDDEN_SIZES = [64, 128, 256, 512, 1024] as const
/** Those of a quick run. */
export const FEW_HIDDEN_SIZES = [64, 256] as const
export const BATCH_SIZES = [1, 8, 64] as const

/** The number of different inputs; then they repeat. */
export const INPUTS = 4
/** Tokens of the check: more than there are different inputs. */
export const CHECKED_TOKENS = 5

/** Weights in PyTorch's layout: gates i, f, g, o. */
export interface CellWeights {
  wIh: Float32Array
  wHh: Float32Array
  bIh: Float32Array
  bHh: Float32Array
}

export function cellWeights(H: number): CellWeights {
  const [matrix, vector] = [4 * H * H, 4 * H]
  const scale = 2 / Math.sqrt(H)
  return {
    wIh: hashed(matrix, { scale }),
    wHh: hashed(matrix, { scale, first: matrix }),
    bIh: hashed(vector, { scale, first: 2 * matrix }),
    bHh: hashed(vector, { scale, first: 2 * matrix + vector }),
  }
}

/** The inputs [B, H] of the different tokens. */
export function cellInputs(H: number, B: number): Float32Array[] {
  return Array.from({ length: INPUTS }, (_, t) => hashed(B * H, { scale: 2, first: t * B * H }))
}
