import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { badFile, PackedRnnError } from '../errors.js'

const CHUNK_BYTES = 1 << 18
/** Of a row of CSV: beyond it, it is no article but a quote that is never closed, or a file that unpacks to anything. */
export const LONGEST_RECORD = 1 << 24

/**
 * The bytes of a file, chunk by chunk; a name that ends in `.gz` is unpacked on the way. Rejects with
 * `signal.reason` once the signal aborts, ERR_FILE_FORMAT if a `.gz` is damaged or cut short, and
 * ERR_INVALID_ARGUMENT if the file cannot be read; both messages name the file.
 */
export async function* readBytes(file: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  signal?.throwIfAborted()
  try {
    const source = createReadStream(file, { highWaterMark: CHUNK_BYTES })
    const chunks: AsyncIterable<Buffer> = file.endsWith('.gz')
      ? pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), () => {}) // its error reaches the loop below
      : source
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      yield chunk
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw fileFailure(file, error)
  }
}

/** The same as UTF-8 text, without a byte order mark. Bytes that are not UTF-8 are ERR_FILE_FORMAT. */
export function readText(file: string, signal?: AbortSignal): AsyncGenerator<string> {
  return decodeText(readBytes(file, signal), file)
}

/** UTF-8 text from bytes, as `readText`; a complaint names `file`. */
export async function* decodeText(chunks: AsyncIterable<Buffer>, file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (bytes?: Buffer): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode()
    } catch {
      throw badFile(file, null, 'UTF-8 text', 'other bytes')
    }
  }
  for await (const chunk of chunks) yield decode(chunk)
  yield decode()
}

/** What a failed read or write of `file` is reported as. */
export function fileFailure(file: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof PackedRnnError) return error
  if (String(error.code).startsWith('Z_')) {
    return new PackedRnnError('ERR_FILE_FORMAT', `${file}: wanted a whole gzip file, got ${error.message}`, {
      cause: error,
    })
  }
  return new PackedRnnError('ERR_INVALID_ARGUMENT', `${file}: ${error.message}`, { cause: error })
}
