// Apple's body pose (Vision, VNDetectHumanBodyPoseRequest) on a folder of pictures, for a row of bench/peers.py.
//
// NOT RUN HERE: this project has no Mac. It was written from Apple's documentation, and has not been compiled.
//
//     swift bench/apple_vision.swift FLOPS/images apple_vision.json
//     python bench/peers.py FLOPS --predictions apple_vision.json --free ...
//
// Vision finds people by itself, up to a few in a picture; it is shown the whole picture, upright as its EXIF tag says.
// The file has, as bench/peer_rows says: model; joints; frames, by file name a list of people, each with keypoints (for
// each joint x and y in pixels from the top left corner, and confidence; null where Vision has none) and score; and
// milliseconds, by file name, from the picture in memory to the points. The first picture is looked at once before, for
// the time in which the network is loaded is not that of a look.

import CoreGraphics
import Foundation
import ImageIO
import Vision

let names: [(VNHumanBodyPoseObservation.JointName, String)] = [
    (.nose, "nose"), (.leftEye, "left_eye"), (.rightEye, "right_eye"), (.leftEar, "left_ear"), (.rightEar, "right_ear"),
    (.neck, "neck"), (.leftShoulder, "left_shoulder"), (.rightShoulder, "right_shoulder"),
    (.leftElbow, "left_elbow"), (.rightElbow, "right_elbow"), (.leftWrist, "left_wrist"), (.rightWrist, "right_wrist"),
    (.leftHip, "left_hip"), (.rightHip, "right_hip"), (.leftKnee, "left_knee"), (.rightKnee, "right_knee"),
    (.leftAnkle, "left_ankle"), (.rightAnkle, "right_ankle"),
]

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(2)
}

func load(_ url: URL) -> (image: CGImage, orientation: CGImagePropertyOrientation)? {
    guard let source = CGImageSourceCreateWithURL(url as CFURL, nil),
        let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
    else { return nil }
    let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
    let tag = (properties?[kCGImagePropertyOrientation] as? NSNumber)?.uint32Value ?? 1
    return (image, CGImagePropertyOrientation(rawValue: tag) ?? .up)
}

func look(_ image: CGImage, _ orientation: CGImagePropertyOrientation) throws -> [VNHumanBodyPoseObservation] {
    let request = VNDetectHumanBodyPoseRequest()
    try VNImageRequestHandler(cgImage: image, orientation: orientation, options: [:]).perform([request])
    return request.results ?? []
}

func person(_ found: VNHumanBodyPoseObservation, width: Double, height: Double) throws -> [String: Any] {
    let points = try found.recognizedPoints(.all)
    let keypoints: [Any] = names.map { name, _ in
        guard let point = points[name], point.confidence > 0 else { return NSNull() }
        // Vision's origin is the bottom left corner, and its unit the side of the picture as displayed.
        return [Double(point.location.x) * width, (1 - Double(point.location.y)) * height, Double(point.confidence)]
    }
    return ["keypoints": keypoints, "score": Double(found.confidence)]
}

guard CommandLine.arguments.count == 3 else { fail("usage: swift apple_vision.swift IMAGES OUT.json") }
let folder = URL(fileURLWithPath: CommandLine.arguments[1], isDirectory: true)
let suffixes: Set<String> = ["jpg", "jpeg", "png", "tif", "tiff", "bmp", "webp"]
guard let listed = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) else {
    fail("\(folder.path): cannot be read; give the folder of the pictures")
}
let pictures = listed.filter { suffixes.contains($0.pathExtension.lowercased()) }
    .sorted { $0.lastPathComponent < $1.lastPathComponent }
guard !pictures.isEmpty else { fail("\(folder.path): holds no picture; give the folder of the pictures") }

var frames: [String: Any] = [:]
var milliseconds: [String: Double] = [:]
do {
    for (index, url) in pictures.enumerated() {
        guard let (image, orientation) = load(url) else { fail("\(url.path): is no picture that can be read") }
        let turned = [.left, .right, .leftMirrored, .rightMirrored].contains(orientation)
        let width = Double(turned ? image.height : image.width)
        let height = Double(turned ? image.width : image.height)
        if index == 0 { _ = try look(image, orientation) }
        let start = DispatchTime.now().uptimeNanoseconds
        let found = try look(image, orientation)
        milliseconds[url.lastPathComponent] = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
        frames[url.lastPathComponent] = try found.map { try person($0, width: width, height: height) }
    }
    let system = ProcessInfo.processInfo.operatingSystemVersionString
    let result: [String: Any] = [
        "model": "Apple Vision, \(system)",
        "joints": names.map { $0.1 },
        "frames": frames,
        "milliseconds": milliseconds,
    ]
    let data = try JSONSerialization.data(withJSONObject: result, options: [.prettyPrinted, .sortedKeys])
    try data.write(to: URL(fileURLWithPath: CommandLine.arguments[2]))
} catch {
    fail("Vision: \(error.localizedDescription)")
}
