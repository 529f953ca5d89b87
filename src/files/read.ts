import { constants } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { badFile } from '../errors.js'
import { fileFailure } from './failure.js'

const CHUNK_BYTES = 1 << 18
/** The most bytes that one call may read: Node ends the process if asked for 2 GiB. */
const MOST_BYTES = 2 ** 30

/**
 * Reads a file chunk by chunk. Files whose names end in `.gz` are decompressed.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT if a `.gz` is damaged or truncated; ERR_INVALID_ARGUMENT if the file
 * cannot be read. Both messages name the file. Rejects with `signal.reason` when the signal aborts.
 */
export async function* readBytes(file: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  signal?.throwIfAborted()
  try {
    const source = createReadStream(file, { highWaterMark: CHUNK_BYTES })
    const chunks: AsyncIterable<Buffer> = file.endsWith('.gz')
      ? pipeline(source, createGunzip({ chunkSize: CHUNK_BYTES }), () => {}) // the loop below throws its error
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

/**
 * Reads a file as UTF-8 text, without a byte order mark.
 * @throws PackedRnnError (rejects) as `readBytes`; ERR_FILE_FORMAT for bytes that are not UTF-8.
 */
export function readText(file: string, signal?: AbortSignal): AsyncGenerator<string> {
  return decodeText(readBytes(file, signal), file)
}

/** Decodes bytes as `readText` does. Error messages name `file`. */
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

/**
 * Reads a whole file into a separate buffer, with some unused bytes behind it: `copyWithin` on its `buffer` may move the bytes.
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT, or ERR_FILE_FORMAT for more bytes than Node can hold, both naming the file.
 */
export async function readWithSpare(file: string, spare: number): Promise<Buffer> {
  try {
    await using handle = await open(file)
    const { size } = await handle.stat()
    if (size + spare > constants.MAX_LENGTH) {
      throw badFile(file, null, `at most ${constants.MAX_LENGTH - spare} bytes`, `${size} bytes`)
    }
    const all = Buffer.allocUnsafeSlow(size + spare)
    let at = 0
    while (at < size) {
      const { bytesRead } = await handle.read(all, at, Math.min(size - at, MOST_BYTES), at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return all.subarray(0, at)
  } catch (error) {
    throw fileFailure(file, error)
  }
}

/** Returns the first bytes of a file, and its size. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function beginOf(file: string, count: number): Promise<{ bytes: Buffer; size: number }> {
  try {
    await using handle = await open(file)
    const { size } = await handle.stat()
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0)
    return { bytes: buffer.subarray(0, bytesRead), size }
  } catch (error) {
    throw fileFailure(file, error)
  }
}

/** Reads a whole file. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT naming the file. */
export async function readWhole(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    throw fileFailure(file, error)
  }
}
