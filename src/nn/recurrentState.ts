import type { Tensor } from '../tensor.js'

/**
 * The state of a GRU or an Elman network after each sequence: it comes out of `forward` and goes into the next call.
 * R is 3, or 2 for one sequence without a batch dimension and for cells.
 *
 * @example
 * ```ts
 * import { nn, randn } from 'packed-rnn'
 *
 * const gru = new nn.GRU({ inputSize: 2, hiddenSize: 4 })
 * const { state } = gru.forward(randn([5, 3, 2])) // [T, B, I]
 * console.log(gru.forward(randn([1, 3, 2]), state).state.h.shape) // [1, 3, 4]
 * ```
 */
export class RecurrentState<R extends 2 | 3 = 3> {
  /** [L·D, B, H], or [L·D, H] for one sequence; [B, H] of a cell. */
  readonly h: Tensor<'float32', R>

  /**
   * A state of given values.
   * @param h the hidden states.
   */
  constructor(h: Tensor<'float32', R>) {
    this.h = h
  }

  /** The same values without their history: the backward pass stops here (truncated back-propagation through time). */
  detach(): RecurrentState<R> {
    return new RecurrentState(this.h.detach())
  }

  /** Frees the memory. */
  dispose(): void {
    this.h.dispose()
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/**
 * The state of an LSTM after each sequence: hidden states h and cell states c.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const lstm = new nn.LSTM({ inputSize: 2, hiddenSize: 4 })
 * const window = packSequence([new Float32Array(6)], { inputSize: 2 })
 * let state: nn.LstmState | null = null
 * for (let i = 0; i < 3; i++) state = lstm.forward(window, state).state.detach()
 * console.log(state?.h.shape) // [1, 1, 4]
 * ```
 */
export class LstmState<R extends 2 | 3 = 3> extends RecurrentState<R> {
  /** [L·D, B, H], or [L·D, H] for one sequence; [B, H] of a cell. */
  readonly c: Tensor<'float32', R>

  /**
   * A state of given values.
   * @param h the hidden states.
   * @param c the cell states.
   */
  constructor(h: Tensor<'float32', R>, c: Tensor<'float32', R>) {
    super(h)
    this.c = c
  }

  /** The same values without their history. */
  override detach(): LstmState<R> {
    return new LstmState(this.h.detach(), this.c.detach())
  }

  /** Frees the memory. */
  override dispose(): void {
    super.dispose()
    this.c.dispose()
  }
}

/** An initial state: what a call before returned, or tensors of its shapes; zeros for those left out. */
export interface RecurrentStateLike<R extends 2 | 3 = 3> {
  /** [L·D, B, R], or [L·D, R] for one sequence alone. */
  h?: Tensor<'float32', R> | null
  /** @deprecated since 0.2: `h`. */
  h0?: Tensor<'float32', R> | null
}

/** An initial state of an LSTM; zeros for those left out. */
export interface LstmStateLike<R extends 2 | 3 = 3> extends RecurrentStateLike<R> {
  /** [L·D, B, H], or [L·D, H] for one sequence alone. */
  c?: Tensor<'float32', R> | null
  /** @deprecated since 0.2: `c`. */
  c0?: Tensor<'float32', R> | null
}

/** The two tensors of a state in either spelling. @internal */
export function statesOf<R extends 2 | 3>(
  state: LstmStateLike<R>,
): { h: Tensor<'float32', R> | null; c: Tensor<'float32', R> | null } {
  return { h: state.h ?? state.h0 ?? null, c: state.c ?? state.c0 ?? null }
}

/** @internal */
export const stateNames = { h: true, c: true, h0: true, c0: true } as const
