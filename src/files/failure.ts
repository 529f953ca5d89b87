import { PackedRnnError } from '../errors.js'

/**
 * The error to report for a failed read or write of `file`: a PackedRnnError that names the file, with the system's error
 * as its `cause`. Errors without a system code, and PackedRnnErrors, are returned as they are.
 */
export function fileFailure(file: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof PackedRnnError) return error
  if (String(error.code).startsWith('Z_')) {
    return new PackedRnnError('ERR_FILE_FORMAT', `${file}: wanted a whole gzip file, got ${error.message}`, {
      cause: error,
    })
  }
  return new PackedRnnError('ERR_INVALID_ARGUMENT', `${file}: ${error.message}`, { cause: error })
}
