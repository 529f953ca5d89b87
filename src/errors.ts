/**
 * The code of a `PackedRnnError`. Codes are stable across releases; messages may change.
 *
 * Invalid arguments, thrown by the call:
 *
 * - `ERR_INVALID_ARGUMENT`: an argument has the wrong type, an invalid value or an unknown name. The other
 *   codes of this group are more specific.
 * - `ERR_SHAPE`: a tensor's shape, or the number of values, rows or tensors, doesn't fit.
 * - `ERR_DTYPE`: a tensor or array holds the wrong type of element.
 * - `ERR_DEVICE`: tensors are on different devices, or a `device` option is not a device.
 * - `ERR_OUT_OF_RANGE`: a number, index, id or label is outside its range. An op that reads indices computed
 *   on the device rejects with it later.
 * - `ERR_EMPTY`: there is nothing to work on: no documents, rows, runs or vectors.
 * - `ERR_UNKNOWN_LABEL`: a label is not one that the encoder was fitted on.
 *
 * The state of a tensor or of the tape:
 *
 * - `ERR_DISPOSED`: a tensor was used after its memory was released.
 * - `ERR_GRAPH_FREED`: a second backward pass through a graph that the first one freed.
 * - `ERR_MODIFIED`: a tensor that a backward pass needs changed after the forward pass.
 * - `ERR_NO_GRADIENT`: the tensor was not computed from any that requires a gradient, or `grad` was called for
 *   an input that no output was computed from.
 *
 * Devices:
 *
 * - `ERR_DEVICE_UNAVAILABLE`: the native addon doesn't load, or the CPU lacks the requested instruction set
 *   or precision.
 * - `ERR_DEVICE_LOST`: the device failed and cannot be used any more in this process.
 * - `ERR_OUT_OF_MEMORY`: an allocation failed, or would exceed `memoryLimit`.
 * - `ERR_OP_FAILED`: an op failed on the device for any other reason.
 * - `ERR_NON_FINITE`: a number is infinite or NaN where an option asked to check for it.
 * - `ERR_CUDA_NO_LIBRARY`: the CUDA backend's library is missing or doesn't load.
 * - `ERR_CUDA_WRONG_STAMP`: the library and the addon were built from different sources.
 * - `ERR_CUDA_NO_DRIVER`: the machine has no NVIDIA driver.
 * - `ERR_CUDA_DRIVER_TOO_OLD`: the driver is older than the library needs.
 * - `ERR_CUDA_NO_DEVICE`: the driver finds no device.
 * - `ERR_CUDA_DEVICE_TOO_OLD`: the device is older than every architecture in the library.
 * - `ERR_CUDA_DEVICE_UNSUPPORTED`: the device is not too old, but the library has no code for it.
 *
 * Files:
 *
 * - `ERR_FILE_FORMAT`: a file is damaged or its content is invalid. The message names the file and, where
 *   there are lines, the line.
 */
export type ErrorCode =
  | 'ERR_INVALID_ARGUMENT'
  | 'ERR_SHAPE'
  | 'ERR_DTYPE'
  | 'ERR_DEVICE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_DISPOSED'
  | 'ERR_GRAPH_FREED'
  | 'ERR_MODIFIED'
  | 'ERR_NO_GRADIENT'
  | 'ERR_DEVICE_UNAVAILABLE'
  | 'ERR_DEVICE_LOST'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_OP_FAILED'
  | 'ERR_NON_FINITE'
  | 'ERR_FILE_FORMAT'
  | 'ERR_UNKNOWN_LABEL'
  | 'ERR_EMPTY'
  | 'ERR_CUDA_NO_LIBRARY'
  | 'ERR_CUDA_WRONG_STAMP'
  | 'ERR_CUDA_NO_DRIVER'
  | 'ERR_CUDA_DRIVER_TOO_OLD'
  | 'ERR_CUDA_NO_DEVICE'
  | 'ERR_CUDA_DEVICE_TOO_OLD'
  | 'ERR_CUDA_DEVICE_UNSUPPORTED'

/**
 * The class of every error that this package throws or rejects with.
 *
 * @example
 * ```ts
 * import { PackedRnnError, reshape, tensor } from 'packed-rnn'
 *
 * try {
 *   reshape(tensor([1, 2, 3]), [2, 2])
 * } catch (error) {
 *   if (!(error instanceof PackedRnnError)) throw error
 *   console.log(error.code) // ERR_SHAPE
 *   console.log(error.message) // reshape: shape: wanted 3 elements, got [2, 2]
 * }
 * ```
 */
export class PackedRnnError extends Error {
  override readonly name = 'PackedRnnError'
  /**
   * The code, for programs. `message` names the argument, what was wanted and what was passed; `cause` is the
   * original error, if there is one.
   */
  readonly code: ErrorCode

  /** Makes an error, for ops and readers of your own. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * Returns the error for an invalid argument. All of them have one form:
 * `lstmForward: h0: wanted shape [2, 3, 4], got [2, 3]`.
 */
export function badArgument(
  where: string,
  argument: string,
  wanted: string,
  got: unknown,
  code: ErrorCode = 'ERR_INVALID_ARGUMENT',
): PackedRnnError {
  return new PackedRnnError(code, `${where}: ${argument}: wanted ${wanted}, got ${show(got)}`)
}

/**
 * Returns the error for invalid content of a file. All of them have one form:
 * `train.csv:17: wanted two fields, got 3`.
 */
export function badFile(file: string, line: number | null, wanted: string, got: unknown): PackedRnnError {
  const place = line === null ? file : `${file}:${line}`
  return new PackedRnnError('ERR_FILE_FORMAT', `${place}: wanted ${wanted}, got ${show(got)}`)
}

/**
 * Returns what `read` makes of a file's content.
 * @throws PackedRnnError ERR_FILE_FORMAT, naming the file, if `read` throws for an invalid argument.
 */
export function ofFile<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const refused: ErrorCode[] = [
      'ERR_INVALID_ARGUMENT',
      'ERR_SHAPE',
      'ERR_DTYPE',
      'ERR_OUT_OF_RANGE',
      'ERR_EMPTY',
    ]
    if (!(error instanceof PackedRnnError && refused.includes(error.code))) throw error
    throw new PackedRnnError('ERR_FILE_FORMAT', `${file}: ${error.message}`, { cause: error })
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return value
  // A nested array is not shown: it may contain itself.
  if (Array.isArray(value))
    return `[${value.map(each => (Array.isArray(each) ? 'an array' : show(each))).join(', ')}]`
  if (value === null || typeof value !== 'object') return String(value)
  return value.constructor?.name ?? 'an object'
}
