import { readBytes } from '../files/read.js'

/** Reads a file incrementally. `bytes` from `at` on have been read and not yet consumed. */
export class ByteSource {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  readonly #chunks: AsyncGenerator<Buffer>

  constructor(file: string, signal: AbortSignal | undefined) {
    this.#chunks = readBytes(file, signal)
  }

  /** Reads another chunk and moves the unconsumed bytes to position 0. Returns false at the end of the file. */
  async more(): Promise<boolean> {
    const chunk = await this.#chunks.next()
    if (chunk.done) return false
    this.bytes = Buffer.concat([this.bytes.subarray(this.at), chunk.value])
    this.at = 0
    return true
  }

  /**
   * Reads to the end, where a damaged `.gz` is detected. Returns whether any bytes were left.
   */
  async drain(): Promise<boolean> {
    let left = false
    do {
      left ||= this.at < this.bytes.length
      this.at = this.bytes.length
    } while (await this.more())
    return left
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#chunks.return(undefined)
  }
}
