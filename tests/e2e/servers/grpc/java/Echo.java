// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Echo server PORT | client PORT: ../README.md. Messages are bytes, so there is no generated code. */
public final class Echo {
  static final int MOST_BYTES = 64 << 20;

  static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] data) {
      return new ByteArrayInputStream(data);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  static MethodDescriptor<byte[], byte[]> method(MethodType type, String name) {
    return MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes()).setType(type)
        .setFullMethodName("test.Echo/" + name).build();
  }

  static final MethodDescriptor<byte[], byte[]> SAY = method(MethodType.UNARY, "Say");
  static final MethodDescriptor<byte[], byte[]> SLOW = method(MethodType.UNARY, "Slow");
  static final MethodDescriptor<byte[], byte[]> FAIL = method(MethodType.UNARY, "Fail");
  static final MethodDescriptor<byte[], byte[]> NOTHING = method(MethodType.UNARY, "Nothing");
  static final MethodDescriptor<byte[], byte[]> COUNT = method(MethodType.SERVER_STREAMING, "Count");
  static final MethodDescriptor<byte[], byte[]> SUM = method(MethodType.CLIENT_STREAMING, "Sum");
  static final MethodDescriptor<byte[], byte[]> CHAT = method(MethodType.BIDI_STREAMING, "Chat");

  static byte[] text(int number) {
    return Integer.toString(number).getBytes();
  }

  static int number(byte[] data) {
    return Integer.parseInt(new String(data));
  }

  static void answer(StreamObserver<byte[]> out, byte[] data) {
    out.onNext(data);
    out.onCompleted();
  }

  static void slow(byte[] request, StreamObserver<byte[]> out) {
    final Context context = Context.current();
    final long end = System.nanoTime() + number(request) * 1_000_000L;
    try {
      while (System.nanoTime() < end && !context.isCancelled()) Thread.sleep(1);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    if (!context.isCancelled()) answer(out, new byte[0]);
  }

  static void count(byte[] request, StreamObserver<byte[]> out) {
    for (int i = 0; i < number(request); i++) out.onNext(text(i));
    out.onCompleted();
  }

  /** Reads messages; `chat`: sends each back, else their size at the end. */
  static StreamObserver<byte[]> reader(StreamObserver<byte[]> out, boolean chat) {
    return new StreamObserver<>() {
      private int sum;

      @Override
      public void onNext(byte[] data) {
        sum += data.length;
        if (chat) out.onNext(data);
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onCompleted() {
        if (!chat) out.onNext(text(sum));
        out.onCompleted();
      }
    };
  }

  static void serve(int port) throws Exception {
    final ServerServiceDefinition service = ServerServiceDefinition.builder("test.Echo")
        .addMethod(SAY, ServerCalls.asyncUnaryCall((request, out) -> answer(out, request)))
        .addMethod(SLOW, ServerCalls.asyncUnaryCall(Echo::slow))
        .addMethod(FAIL, ServerCalls.asyncUnaryCall((request, out) ->
            out.onError(Status.fromCodeValue(number(request)).withDescription("as asked").asRuntimeException())))
        .addMethod(COUNT, ServerCalls.asyncServerStreamingCall(Echo::count))
        .addMethod(SUM, ServerCalls.asyncClientStreamingCall(out -> reader(out, false)))
        .addMethod(CHAT, ServerCalls.asyncBidiStreamingCall(out -> reader(out, true)))
        .build();
    NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port)).maxInboundMessageSize(MOST_BYTES)
        .addService(service).build().start().awaitTermination();
  }

  final ManagedChannel channel;

  Echo(int port) {
    channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().maxInboundMessageSize(MOST_BYTES).build();
  }

  void unary(MethodDescriptor<byte[], byte[]> method, byte[] data, CallOptions options) {
    final byte[] answer = ClientCalls.blockingUnaryCall(channel, method, options, data);
    if (method == SAY && answer.length != data.length) throw new IllegalStateException("a wrong answer");
  }

  void parallel(int streams, int times, int size) throws Exception {
    final Semaphore room = new Semaphore(streams);
    final AtomicInteger failed = new AtomicInteger();
    for (int i = 0; i < times; i++) {
      room.acquire();
      ClientCalls.asyncUnaryCall(channel.newCall(SAY, CallOptions.DEFAULT), new byte[size], new StreamObserver<>() {
        @Override
        public void onNext(byte[] data) {}

        @Override
        public void onError(Throwable error) {
          failed.set(Status.fromThrowable(error).getCode().value());
          room.release();
        }

        @Override
        public void onCompleted() {
          room.release();
        }
      });
    }
    room.acquire(streams);
    if (failed.get() != 0) throw Status.fromCodeValue(failed.get()).asRuntimeException();
  }

  void cancel(int milliseconds) throws Exception {
    final ClientCall<byte[], byte[]> call = channel.newCall(SLOW, CallOptions.DEFAULT);
    final var answer = ClientCalls.futureUnaryCall(call, text(5000));
    Thread.sleep(milliseconds);
    final CompletableFuture<Integer> ended = new CompletableFuture<>();
    answer.addListener(() -> ended.complete(0), Runnable::run);
    call.cancel("as asked", null);
    ended.get(10, TimeUnit.SECONDS);
    throw Status.CANCELLED.asRuntimeException();
  }

  /** Sends so many messages; `chat`: each when the answer to the one before is there. */
  void send(MethodDescriptor<byte[], byte[]> method, int messages, boolean chat) throws Exception {
    final Semaphore answers = new Semaphore(0);
    final CompletableFuture<Throwable> ended = new CompletableFuture<>();
    final StreamObserver<byte[]> in = new StreamObserver<>() {
      @Override
      public void onNext(byte[] data) {
        answers.release();
      }

      @Override
      public void onError(Throwable error) {
        ended.complete(error);
      }

      @Override
      public void onCompleted() {
        ended.complete(null);
      }
    };
    final ClientCall<byte[], byte[]> call = channel.newCall(method, CallOptions.DEFAULT);
    final StreamObserver<byte[]> out =
        chat ? ClientCalls.asyncBidiStreamingCall(call, in) : ClientCalls.asyncClientStreamingCall(call, in);
    for (int i = 0; i < messages; i++) {
      out.onNext("abc".getBytes());
      if (chat) answers.acquire();
    }
    out.onCompleted();
    final Throwable error = ended.get(30, TimeUnit.SECONDS);
    if (error != null) throw Status.fromThrowable(error).asRuntimeException();
  }

  void run(String[] words) throws Exception {
    final int[] n = new int[4];
    for (int i = 1; i < words.length; i++) n[i] = Integer.parseInt(words[i]);
    final CallOptions plain = CallOptions.DEFAULT;
    switch (words[0]) {
      case "say":
        for (int i = 0; i < n[2]; i++) unary(SAY, new byte[n[1]], plain);
        break;
      case "parallel": parallel(n[1], n[2], n[3]); break;
      case "slow": unary(SLOW, text(n[1]), plain); break;
      case "fail": unary(FAIL, text(n[1]), plain); break;
      case "missing": unary(NOTHING, new byte[0], plain); break;
      case "deadline": unary(SLOW, text(5000), plain.withDeadlineAfter(n[1], TimeUnit.MILLISECONDS)); break;
      case "cancel": cancel(n[1]); break;
      case "count":
        final Iterator<byte[]> all = ClientCalls.blockingServerStreamingCall(channel, COUNT, plain, text(n[1]));
        while (all.hasNext()) all.next();
        break;
      case "sum": send(SUM, n[1], false); break;
      case "chat": send(CHAT, n[1], true); break;
      default: throw new IllegalArgumentException(words[0]);
    }
  }

  static void ask(int port) throws Exception {
    final Echo client = new Echo(port);
    final BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      int status = 0;
      try {
        client.run(line.split(" "));
      } catch (StatusRuntimeException error) {
        status = error.getStatus().getCode().value();
      }
      System.out.println(status);
    }
    System.exit(0);
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("server")) {
      serve(Integer.parseInt(arguments[1]));
    } else {
      ask(Integer.parseInt(arguments[1]));
    }
  }
}
