package sample;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Answers that need other hosts: this one stands in for them. */
final class Network {
    private static final char[] PASSWORD = "only-for-the-sample".toCharArray();

    private Network() {}

    static Answer names() throws IOException {
        return Answer.json(200, "{\"localhost\": \"" + InetAddress.getByName("localhost").getHostAddress() + "\"}");
    }

    /** This server's own page, through the platform's client. */
    static Answer fetch(int port, String path) throws IOException {
        try {
            HttpClient client = HttpClient.newHttpClient();
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path)).build();
            HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
            return Answer.json(200, "{\"status\": " + response.statusCode() + "}");
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    /** One TLS connection with a server in this process, by a client that trusts it or does not. */
    static Answer handshake(boolean trusted) throws IOException {
        try {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream stream = new ByteArrayInputStream(Text.resource("server.p12"))) {
                store.load(stream, PASSWORD);
            }
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(store, PASSWORD);
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(trusted ? store : null);
            SSLContext server = SSLContext.getInstance("TLS");
            server.init(keys.getKeyManagers(), null, null);
            SSLContext client = SSLContext.getInstance("TLS");
            client.init(null, trust.getTrustManagers(), null);
            return connect(server, client);
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Answer connect(SSLContext server, SSLContext client) throws IOException {
        InetAddress here = InetAddress.getLoopbackAddress();
        try (SSLServerSocket listener = (SSLServerSocket) server.getServerSocketFactory().createServerSocket(0, 1, here)) {
            CompletableFuture.runAsync(() -> {
                try (SSLSocket socket = (SSLSocket) listener.accept()) {
                    socket.getOutputStream().write("secret".getBytes(StandardCharsets.UTF_8));
                } catch (IOException ignored) {
                    // The client tells what happened.
                }
            });
            try (SSLSocket socket = (SSLSocket) client.getSocketFactory().createSocket(here, listener.getLocalPort())) {
                String word = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                return Answer.json(200, "{\"word\": \"" + word + "\", \"protocol\": \"" + socket.getSession().getProtocol() + "\"}");
            }
        } catch (SSLException error) {
            return Answer.json(200, "{\"error\": \"not trusted\"}");
        }
    }
}
