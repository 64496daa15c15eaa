package io.peft4j.hub;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A proxy on this machine that passes plain requests on and refuses tunnels. */
final class LoopbackProxy implements AutoCloseable {

    /** The heads of all requests, as they came. */
    final List<String> heads = new CopyOnWriteArrayList<>();

    /** What a tunnel or a request without credentials gets, if credentials are wanted. */
    volatile boolean wantsCredentials;

    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
    private final ExecutorService threads = Executors.newCachedThreadPool();

    LoopbackProxy() throws IOException {
        threads.execute(this::accept);
    }

    String address() {
        return "127.0.0.1:" + server.getLocalPort();
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket client = server.accept();
                threads.execute(() -> serve(client));
            } catch (IOException e) {
                return; // closed
            }
        }
    }

    private void serve(Socket client) {
        try (client) {
            String head = head(new BufferedInputStream(client.getInputStream()));
            if (head.isEmpty()) {
                return;
            }
            heads.add(head);
            String[] request = head.split(" ", 3);
            if (wantsCredentials && !head.contains("Proxy-Authorization: Basic ")) {
                answer(client, "407 Proxy Authentication Required");
            } else if (request[0].equals("CONNECT")) {
                answer(client, "403 Forbidden");
            } else {
                forward(client, head, request);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void answer(Socket client, String status) throws IOException {
        client.getOutputStream()
                .write(
                        ("HTTP/1.1 "
                                        + status
                                        + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                                .getBytes(ISO_8859_1));
    }

    private static void forward(Socket client, String head, String[] request) throws IOException {
        URI target = URI.create(request[1]);
        StringBuilder sent = new StringBuilder();
        String query = target.getRawQuery() == null ? "" : "?" + target.getRawQuery();
        sent.append(request[0]).append(' ').append(target.getRawPath()).append(query);
        sent.append(" HTTP/1.1\r\n");
        for (String line : head.split("\r\n")) {
            String name = line.toLowerCase(Locale.ROOT);
            if (line.contains(": ")
                    && !name.startsWith("proxy-")
                    && !name.startsWith("connection")) {
                sent.append(line).append("\r\n");
            }
        }
        sent.append("Connection: close\r\n\r\n");
        try (Socket origin = new Socket(target.getHost(), target.getPort())) {
            origin.getOutputStream().write(sent.toString().getBytes(ISO_8859_1));
            origin.getInputStream().transferTo(client.getOutputStream());
        }
    }

    private static String head(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0) {
                return "";
            }
            head.append((char) next);
        }
        return head.toString();
    }

    @Override
    public void close() throws IOException {
        server.close();
        threads.shutdownNow();
    }
}
