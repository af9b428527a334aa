package sample;

import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorConvertOp;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.text.Normalizer;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import javax.imageio.ImageIO;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;

/** Rarely asked for, each with its own part of the platform. */
final class Platform {
    private Platform() {}

    /** The text, encrypted with a fixed key (for the sample only). */
    static Answer seal(String text) {
        try {
            Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
            byte[] key = "0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new GCMParameterSpec(128, new byte[12]));
            String sealed = Base64.getEncoder().encodeToString(cipher.doFinal(text.getBytes(StandardCharsets.UTF_8)));
            return Answer.json(200, "{\"sealed\": \"" + sealed + "\"}");
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    static Answer decode(byte[] data, String charset) {
        String text = new String(data, Charset.forName(charset));
        boolean letters = Pattern.compile("\\p{IsAlphabetic}+").matcher(text).matches();
        String plain = Normalizer.normalize(text, Normalizer.Form.NFKD);
        return Answer.json(200, "{\"text\": \"" + Text.json(text) + "\", \"letters\": " + letters + ", \"parts\": " + plain.length() + "}");
    }

    /** A grey JPEG picture with a letter. */
    static Answer stamp(String text) throws IOException {
        BufferedImage image = new BufferedImage(48, 48, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(Color.ORANGE);
        graphics.setFont(new Font(Font.SERIF, Font.BOLD, 24));
        graphics.drawString(text, 8, 32);
        graphics.dispose();
        BufferedImage grey = new ColorConvertOp(ColorSpace.getInstance(ColorSpace.CS_GRAY), null).filter(image, null);
        BufferedImage opaque = new BufferedImage(48, 48, BufferedImage.TYPE_INT_RGB);
        opaque.createGraphics().drawImage(grey, 0, 0, null);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ImageIO.write(opaque, "jpg", out);
        return new Answer(200, "image/jpeg", out.toByteArray(), Map.of());
    }

    static Answer transform(String document) {
        try {
            StringReader sheet = new StringReader(new String(Text.resource("titles.xsl"), StandardCharsets.UTF_8));
            Transformer transformer = TransformerFactory.newInstance().newTransformer(new StreamSource(sheet));
            StringWriter text = new StringWriter();
            transformer.transform(new StreamSource(new StringReader(document)), new StreamResult(text));
            return Answer.html(200, text.toString());
        } catch (TransformerException error) {
            throw new IllegalArgumentException("that cannot be transformed", error);
        }
    }

    static Answer load() {
        Logger.getLogger("sample").info("asked for the load");
        boolean busy = ManagementFactory.getThreadMXBean().getThreadCount() > 1;
        boolean heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() > 0;
        return Answer.json(200, "{\"threads\": " + busy + ", \"heap\": " + heap + "}");
    }

    /** By another program. */
    static Answer checksum(byte[] data) throws IOException {
        Process process = new ProcessBuilder("sha224sum", "--binary").start();
        try {
            process.getOutputStream().write(data);
            process.getOutputStream().close();
            String line = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            process.waitFor(5, TimeUnit.SECONDS);
            return Answer.json(200, "{\"sum\": \"" + line.split(" ")[0] + "\"}");
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        } finally {
            process.destroy();
        }
    }
}
