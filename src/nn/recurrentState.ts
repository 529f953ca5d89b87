import type { Tensor } from '../tensor.js'

/**
 * The final state of a GRU or an Elman network. `forward` returns it; pass it to the next call to continue the sequences.
 * Its rank R is 3, or 2 for cells and for a single sequence without a batch dimension.
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
  /** The hidden states: [L·D, B, R], or [L·D, R] for a single sequence; [B, H] for a cell. */
  readonly h: Tensor<'float32', R>

  /**
   * Makes a state from tensors.
   * @param h the hidden states.
   */
  constructor(h: Tensor<'float32', R>) {
    this.h = h
  }

  /** Returns the same values without their history: backward passes stop here (truncated back-propagation through time). */
  detach(): RecurrentState<R> {
    return new RecurrentState(this.h.detach())
  }

  /** Releases the device memory. */
  dispose(): void {
    this.h.dispose()
  }

  /** Calls `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/**
 * The final state of an LSTM: hidden states h and cell states c.
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
  /** The cell states: [L·D, B, H], or [L·D, H] for a single sequence; [B, H] for a cell. */
  readonly c: Tensor<'float32', R>

  /**
   * Makes a state from tensors.
   * @param h the hidden states.
   * @param c the cell states.
   */
  constructor(h: Tensor<'float32', R>, c: Tensor<'float32', R>) {
    super(h)
    this.c = c
  }

  /** Returns the same values without their history. */
  override detach(): LstmState<R> {
    return new LstmState(this.h.detach(), this.c.detach())
  }

  /** Releases the device memory. */
  override dispose(): void {
    super.dispose()
    this.c.dispose()
  }
}

/** An initial state: the `state` of a previous call, or tensors of the same shapes. What is missing is zeros. */
export interface RecurrentStateLike<R extends 2 | 3 = 3> {
  /** The hidden states: [L·D, B, R], or [L·D, R] for a single sequence. */
  h?: Tensor<'float32', R> | null
  /** @deprecated since 0.2: use `h`. */
  h0?: Tensor<'float32', R> | null
}

/** An initial state of an LSTM. What is missing is zeros. */
export interface LstmStateLike<R extends 2 | 3 = 3> extends RecurrentStateLike<R> {
  /** The cell states: [L·D, B, H], or [L·D, H] for a single sequence. */
  c?: Tensor<'float32', R> | null
  /** @deprecated since 0.2: use `c`. */
  c0?: Tensor<'float32', R> | null
}

/** Returns the tensors of a state in either spelling. @internal */
export function statesOf<R extends 2 | 3>(
  state: LstmStateLike<R>,
): { h: Tensor<'float32', R> | null; c: Tensor<'float32', R> | null } {
  return { h: state.h ?? state.h0 ?? null, c: state.c ?? state.c0 ?? null }
}

/** @internal */
export const stateNames = { h: true, c: true, h0: true, c0: true } as const
