/** What went wrong, stable across releases; the message may be reworded, the code may not. */
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
  /** The CUDA backend's library is not there, or does not load. */
  | 'ERR_CUDA_NO_LIBRARY'
  /** That library and the addon were built from different sources. */
  | 'ERR_CUDA_WRONG_STAMP'
  /** The machine has no NVIDIA driver, */
  | 'ERR_CUDA_NO_DRIVER'
  /** or one that is older than the library needs, */
  | 'ERR_CUDA_DRIVER_TOO_OLD'
  /** or one that finds no device. */
  | 'ERR_CUDA_NO_DEVICE'
  /** The library has no code for a device as old as this one. */
  | 'ERR_CUDA_DEVICE_TOO_OLD'
  /** The library has no code for this device, which is not too old. */
  | 'ERR_CUDA_DEVICE_UNSUPPORTED'

/** The one class of every error that this package throws or rejects with. */
export class PackedRnnError extends Error {
  override readonly name = 'PackedRnnError'
  /** What went wrong, for programs; `message` names argument, wanted and got, and `cause` is what it came from. */
  readonly code: ErrorCode

  /** @internal */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A bad argument, worded alike everywhere: `lstmForward: h0: wanted shape [2, 3, 4], got [2, 3]`. */
export function badArgument(
  where: string,
  argument: string,
  wanted: string,
  got: unknown,
  code: ErrorCode = 'ERR_INVALID_ARGUMENT',
): PackedRnnError {
  return new PackedRnnError(code, `${where}: ${argument}: wanted ${wanted}, got ${show(got)}`)
}

/** A bad place in a file, worded alike everywhere: `train.csv:17: wanted two fields, got 3`. */
export function badFile(file: string, line: number | null, wanted: string, got: unknown): PackedRnnError {
  const place = line === null ? file : `${file}:${line}`
  return new PackedRnnError('ERR_FILE_FORMAT', `${place}: wanted ${wanted}, got ${show(got)}`)
}

/**
 * What `read` makes of a file's content. @throws PackedRnnError ERR_FILE_FORMAT naming the file, for an argument that is refused.
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
  // One in an array may be that array itself.
  if (Array.isArray(value))
    return `[${value.map(each => (Array.isArray(each) ? 'an array' : show(each))).join(', ')}]`
  if (value === null || typeof value !== 'object') return String(value)
  return value.constructor?.name ?? 'an object'
}
