import type {Client, ServiceClientConstructor} from '@grpc/grpc-js';
import {type CriVerb, criDescriptor, serviceOf} from './cri-messages.ts';

/** An error of a CRI runtime: the name of its gRPC status, and what it said. */
export class CriError extends Error {
  readonly status: string;

  constructor(verb: CriVerb, status: string, said: string) {
    super(`${verb}: ${said} (${status})`);
    this.name = 'CriError';
    this.status = status;
  }
}

type Call = (
  request: object,
  metadata: object,
  options: {deadline: Date},
  answer: (error: {code?: number; details?: string; message: string} | null, response?: object) => void,
) => void;

type Clients = Readonly<Record<'RuntimeService' | 'ImageService', Client>>;

/** Both are CommonJS: in a bundle they have a default export alone. */
async function importGrpc(): Promise<typeof import('@grpc/grpc-js')> {
  const loaded = await import('@grpc/grpc-js');
  return loaded.default ?? loaded;
}

async function importProtoLoader(): Promise<typeof import('@grpc/proto-loader')> {
  const loaded: typeof import('@grpc/proto-loader') & {default?: typeof import('@grpc/proto-loader')} = await import(
    '@grpc/proto-loader'
  );
  return loaded.default ?? loaded;
}

/** A client of CRI v1 on a unix socket, by gRPC; the library is loaded when one is made. */
export class CriClient {
  readonly #clients: Clients;
  readonly #statusNames: Readonly<Record<number, string>>;

  private constructor(clients: Clients, statusNames: Readonly<Record<number, string>>) {
    this.#clients = clients;
    this.#statusNames = statusNames;
  }

  static async connect(socket: string): Promise<CriClient> {
    const [grpc, loader] = await Promise.all([importGrpc(), importProtoLoader()]);
    const definition = loader.fromJSON(criDescriptor as Parameters<typeof loader.fromJSON>[0], {
      keepCase: true,
      longs: Number,
      enums: String,
    });
    const loaded = grpc.loadPackageDefinition(definition) as unknown as {
      runtime: {v1: Readonly<Record<'RuntimeService' | 'ImageService', ServiceClientConstructor>>};
    };
    const options = {'grpc.default_authority': 'localhost', 'grpc.max_receive_message_length': 16 * 1024 * 1024};
    const open = (name: 'RuntimeService' | 'ImageService'): Client =>
      new loaded.runtime.v1[name](`unix:${socket}`, grpc.credentials.createInsecure(), options);
    const names = Object.fromEntries(
      Object.entries(grpc.status).flatMap(([name, code]) => (typeof code === 'number' ? [[code, name]] : [])),
    );
    return new CriClient({RuntimeService: open('RuntimeService'), ImageService: open('ImageService')}, names);
  }

  /** Calls a verb. Throws CriError. */
  async call<Response extends object>(verb: CriVerb, request: object, timeoutMs = 60_000): Promise<Response> {
    const {Metadata} = await importGrpc();
    const client = this.#clients[serviceOf(verb)] as unknown as Readonly<Record<CriVerb, Call>>;
    return await new Promise((resolve, reject) => {
      const deadline = new Date(Date.now() + timeoutMs);
      client[verb].call(client, request, new Metadata(), {deadline}, (error, response) => {
        if (error === null) resolve((response ?? {}) as Response);
        else
          reject(new CriError(verb, this.#statusNames[error.code ?? 2] ?? 'UNKNOWN', error.details || error.message));
      });
    });
  }

  close(): void {
    for (const client of Object.values(this.#clients)) client.close();
  }
}
