import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;

/**
 * A server that speaks MongoDB's protocol: java Mongod FILE KEY CERTIFICATE.
 *
 * <p>Prints its port and its port with TLS, and serves until its input ends or SIGTERM comes; either way
 * everything acknowledged is in FILE. What the port with TLS serves is kept in memory.
 */
final class Mongod {
    /** Newer than the library's own newest, which clients of today refuse. */
    private static final MongoVersion VERSION =
            new MongoVersion() {
                @Override
                public List<Integer> getVersionArray() {
                    return List.of(5, 0, 0);
                }

                @Override
                public int getWireVersion() {
                    return 13;
                }
            };

    public static void main(String[] arguments) throws Exception {
        MongoServer plain = new MongoServer(new H2Backend(arguments[0]).version(VERSION));
        MongoServer tls = new MongoServer(H2Backend.inMemory().version(VERSION));
        tls.enableSsl(key(arguments[1]), null, certificate(arguments[2]));
        Runtime.getRuntime()
                .addShutdownHook(
                        new Thread(
                                () -> {
                                    tls.shutdownNow();
                                    plain.shutdownNow();
                                }));
        plain.bind("127.0.0.1", 0);
        tls.bind("127.0.0.1", 0);
        System.out.println(plain.getLocalAddress().getPort() + " " + tls.getLocalAddress().getPort());
        while (System.in.read() >= 0) {}
        System.exit(0);
    }

    private static PrivateKey key(String file) throws Exception {
        String text = Files.readString(Path.of(file)).replaceAll("-----[^-]+-----|\\s", "");
        byte[] key = Base64.getDecoder().decode(text);
        return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(key));
    }

    private static X509Certificate certificate(String file) throws Exception {
        try (FileInputStream stream = new FileInputStream(file)) {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            return (X509Certificate) factory.generateCertificate(stream);
        }
    }
}
